namespace ChatPlatform.LocalAwsModel;

/// <summary>The names and values of one request's expressions.</summary>
internal sealed class Placeholders
{
    public Dictionary<string, ModelValue> Values { get; } = [];

    public Dictionary<string, string> Names { get; } = [];

    public string Value(ModelValue value)
    {
        var name = $":v{Values.Count}";
        Values.Add(name, value);
        return name;
    }

    public string Name(string attribute)
    {
        var name = $"#{attribute}";
        Names[name] = attribute;
        return name;
    }
}

/// <summary>A condition as text, and what it means.</summary>
internal sealed record ModelCondition(string Text, Func<ModelItem, bool> Holds)
{
    /// <summary>One of a dozen forms on attributes that are no key, so that it serves as a filter too. An item that is not there is the empty one.</summary>
    public static ModelCondition Random(ModelRandom random, Placeholders names)
    {
        switch (random.Next(11))
        {
            case 0:
                return new("attribute_exists(tag)", i => i["tag"] is not null);
            case 1:
                return new($"attribute_not_exists({names.Name("things")})", i => i["things"] is null);
            case 2:
                {
                    var least = random.Next(60);
                    return new($"ver > {names.Value(ModelValue.Of(least))}", i => i.Number("ver") > least);
                }

            case 3:
                {
                    var (low, high) = (random.Rank(), random.Rank());
                    (low, high) = low <= high ? (low, high) : (high, low);
                    return new($"#rank BETWEEN {names.Value(ModelValue.Of(low))} AND {names.Value(ModelValue.Of(high))}".Replace("#rank", names.Name("rank"), StringComparison.Ordinal),
                        i => i.Number("rank") >= low && i.Number("rank") <= high);
                }

            case 4:
                {
                    var mark = random.Mark();
                    return new($"contains(marks, {names.Value(ModelValue.Of(mark))})", i => i["marks"] is { } set && ((string[])set.Content).Contains(mark));
                }

            case 5:
                {
                    var begin = random.Body().EnumerateRunes().First().ToString();
                    return new($"begins_with(body, {names.Value(ModelValue.Of(begin))})", i => i["body"] is { } body && body.Text.StartsWith(begin, StringComparison.Ordinal));
                }

            case 6:
                {
                    var size = random.Next(6);
                    return new($"size(things) >= {names.Value(ModelValue.Of(size))}", i => i["things"] is { } list && ((ModelValue[])list.Content).Length >= size);
                }

            case 7:
                return new($"attribute_type(extra, {names.Value(ModelValue.Of("BOOL"))})", i => i["extra"]?.Type == "BOOL");
            case 8:
                {
                    var (one, two) = (random.Body(), random.Body());
                    return new($"body IN ({names.Value(ModelValue.Of(one))}, {names.Value(ModelValue.Of(two))})", i => i["body"] is { } body && (body.Text == one || body.Text == two));
                }

            case 9:
                {
                    var inner = Random(random, names);
                    return new($"NOT ({inner.Text})", i => !inner.Holds(i));
                }

            default:
                {
                    var (left, right, and) = (Random(random, names), Random(random, names), random.Next(2) == 0);
                    return new($"({left.Text}) {(and ? "AND" : "OR")} ({right.Text})", i => and ? left.Holds(i) && right.Holds(i) : left.Holds(i) || right.Holds(i));
                }
        }
    }
}

/// <summary>An update expression, and what it makes of an item; null where DynamoDB refuses it for that item.</summary>
internal sealed record ModelUpdate(string Text, Func<ModelItem, ModelItem?> Apply)
{
    /// <summary>One to four actions on different attributes; <c>ver</c> becomes <paramref name="version"/>, so that most updates change something.</summary>
    public static ModelUpdate Random(ModelRandom random, Placeholders names, decimal version)
    {
        var (sets, removes, adds, deletes) = (new List<string> { $"ver = {names.Value(ModelValue.Of(version))}" }, new List<string>(), new List<string>(), new List<string>());
        // Every right-hand side speaks of the item before the update, hence the two arguments: before, and so far.
        var steps = new List<Func<ModelItem, ModelItem, ModelItem?>> { (_, i) => i.With("ver", ModelValue.Of(version)) };
        foreach (var attribute in random.Some("body", "rank", "tag", "marks", "things", "doc", "cnt", "extra"))
        {
            switch (attribute)
            {
                case "body" or "extra":
                    {
                        var value = attribute == "body" ? ModelValue.Of(random.Body()) : random.Value(2);
                        sets.Add($"{attribute} = {names.Value(value)}");
                        steps.Add((_, i) => i.With(attribute, value));
                        break;
                    }

                case "rank":
                    {
                        var (by, start) = (random.Rank(), random.Next(3) > 0);
                        var left = start ? $"if_not_exists({names.Name("rank")}, {names.Value(ModelValue.Of(5))})" : names.Name("rank");
                        sets.Add($"{names.Name("rank")} = {left} + {names.Value(ModelValue.Of(by))}");
                        steps.Add((before, i) => (before.Number("rank") ?? (start ? 5 : null)) + by is { } sum ? i.With("rank", ModelValue.Of(sum)) : null);
                        break;
                    }

                case "tag":
                    if (random.Next(2) == 0)
                    {
                        removes.Add("tag");
                        steps.Add((_, i) => i.Without("tag"));
                    }
                    else
                    {
                        var tag = ModelValue.Of(random.Tag());
                        sets.Add($"tag = {names.Value(tag)}");
                        steps.Add((_, i) => i.With("tag", tag));
                    }

                    break;
                case "marks":
                    {
                        var mark = random.Mark();
                        var set = names.Value(new ModelValue("SS", new[] { mark }));
                        if (random.Next(2) == 0)
                        {
                            adds.Add($"marks {set}");
                            steps.Add((before, i) => i.With("marks", new("SS", Marks(before).Append(mark).Distinct().ToArray())));
                        }
                        else
                        {
                            deletes.Add($"marks {set}");
                            steps.Add((before, i) => Marks(before).Where(m => m != mark).ToArray() is { Length: > 0 } rest ? i.With("marks", new("SS", rest)) : i.Without("marks"));
                        }

                        break;
                    }

                case "things":
                    Things(random, names, sets, removes, steps);
                    break;
                case "doc":
                    {
                        var (member, value) = ($"m{random.Next(3)}", random.Value(1));
                        if (random.Next(3) == 0)
                        {
                            removes.Add($"doc.{names.Name(member)}");
                            steps.Add((before, i) => before["doc"] is { Content: ModelItem map } ? i.With("doc", new("M", map.Without(member))) : null);
                        }
                        else
                        {
                            sets.Add($"doc.{names.Name(member)} = {names.Value(value)}");
                            steps.Add((before, i) => before["doc"] is { Content: ModelItem map } ? i.With("doc", new("M", map.With(member, value))) : null);
                        }

                        break;
                    }

                default:
                    {
                        var by = random.Rank();
                        adds.Add($"cnt {names.Value(ModelValue.Of(by))}");
                        steps.Add((before, i) => i.With("cnt", ModelValue.Of((before.Number("cnt") ?? 0) + by)));
                        break;
                    }
            }
        }

        var text = string.Join(' ', ((string, List<string>)[])[("SET", sets), ("REMOVE", removes), ("ADD", adds), ("DELETE", deletes)] is var clauses
            ? clauses.Where(c => c.Item2.Count > 0).Select(c => $"{c.Item1} {string.Join(", ", c.Item2)}")
            : []);
        return new(text, before => steps.Aggregate((ModelItem?)before, (so, step) => so is null ? null : step(before, so)));
    }

    private static void Things(ModelRandom random, Placeholders names, List<string> sets, List<string> removes, List<Func<ModelItem, ModelItem, ModelItem?>> steps)
    {
        var value = random.Value(1);
        switch (random.Next(4))
        {
            case 0:
                var one = new ModelValue("L", new[] { value });
                sets.Add($"things = {names.Value(one)}");
                steps.Add((_, i) => i.With("things", one));
                break;
            case 1:
                var none = new ModelValue("L", Array.Empty<ModelValue>());
                sets.Add($"things = list_append(if_not_exists(things, {names.Value(none)}), {names.Value(new ModelValue("L", new[] { value }))})");
                steps.Add((before, i) => i.With("things", new("L", List(before).Append(value).ToArray())));
                break;
            case 2:
                var at = random.Next(4);
                sets.Add($"things[{at}] = {names.Value(value)}");
                steps.Add((before, i) => before["things"] is null
                    ? null
                    : i.With("things", new("L", List(before).Length <= at ? [.. List(before), value] : List(before).Select((e, n) => n == at ? value : e).ToArray())));
                break;
            default:
                var gone = random.Next(4);
                removes.Add($"things[{gone}]");
                steps.Add((before, i) => before["things"] is null ? null : i.With("things", new("L", List(before).Where((_, n) => n != gone).ToArray())));
                break;
        }
    }

    private static string[] Marks(ModelItem item) => item["marks"]?.Content as string[] ?? [];

    private static ModelValue[] List(ModelItem item) => item["things"]?.Content as ModelValue[] ?? [];
}

/// <summary>What clients write, from a seed of their own. Not thread-safe.</summary>
internal sealed class ModelRandom(int seed, int client)
{
    private static readonly string[] Bodies = ["a", "a\0", "a\0b", "a\u0001", "ab", "b\"\\/", "z", "é", "한국", "\uFFFD", "\U0001F600", "\U0001F600b", "zz\n", new string('q', 90)];
    private readonly Random _random = new(unchecked((seed * 7_919) + client));

    public int Next(int end) => _random.Next(end);

    public T Of<T>(IReadOnlyList<T> values) => values[_random.Next(values.Count)];

    public string Body() => Of(Bodies);

    public string Mark() => $"mark{_random.Next(6)}";

    public string Tag() => $"c{client}-t{_random.Next(3)}";

    public decimal Rank() => (_random.Next(2_001) - 1_000) / 8m;

    public IEnumerable<string> Some(params string[] attributes)
    {
        var count = 1 + _random.Next(3);
        _random.Shuffle(attributes);
        return attributes[..count];
    }

    public ModelValue Value(int depth) => _random.Next(depth > 0 ? 9 : 6) switch
    {
        0 => ModelValue.Of(Body()),
        1 => ModelValue.Of(Rank() * 1_000_000_007m),
        2 => new("BOOL", _random.Next(2) == 0),
        3 => new("NULL", true),
        4 => new("B", Bytes()),
        5 => ModelValue.Of(""),
        6 => new("NS", Enumerable.Range(0, 1 + _random.Next(3)).Select(_ => Rank()).Distinct().ToArray()),
        7 => new("L", Enumerable.Range(0, _random.Next(3)).Select(_ => Value(depth - 1)).ToArray()),
        _ => new("M", new ModelItem(Enumerable.Range(0, _random.Next(3)).ToDictionary(i => $"m{i}", _ => Value(depth - 1)))),
    };

    /// <summary>A whole new item.</summary>
    public ModelItem Item(ItemPlace place, decimal version)
    {
        var item = place.Key.With("ver", ModelValue.Of(version)).With("body", ModelValue.Of(Body()));
        foreach (var attribute in Some("rank", "tag", "marks", "things", "doc", "extra"))
        {
            item = item.With(attribute, attribute switch
            {
                "rank" => ModelValue.Of(Rank()),
                "tag" => ModelValue.Of(Tag()),
                "marks" => new("SS", new[] { Mark() }),
                "things" => new("L", new[] { Value(1) }),
                "doc" => new("M", new ModelItem(new() { ["m0"] = Value(0) })),
                _ => Value(2),
            });
        }

        return item;
    }

    private byte[] Bytes()
    {
        var bytes = new byte[_random.Next(20)];
        _random.NextBytes(bytes);
        return bytes;
    }
}
