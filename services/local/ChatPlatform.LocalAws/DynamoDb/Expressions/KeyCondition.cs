using System.Text;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

/// <summary>
/// What a Query asks of its keys: the partition key's value, and a range of sort keys in their order-preserving form, both ends included; null = open.
/// </summary>
internal sealed record KeyCondition(byte[] PartitionKey, byte[]? Low, bool LowExcluded, byte[]? High, bool HighExcluded, byte[]? Prefix)
{
    private const string Kind = "KeyConditionExpression";

    /// <summary>Reads a key condition: <c>pk = :v</c>, and at most one condition on the sort key
    /// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html).</summary>
    public static KeyCondition Parse(string text, ExpressionNames names, KeySchema keys, TableDefinition table)
    {
        var parts = new List<Condition>();
        Flatten(ExpressionParser.ParseCondition(text, Kind, names), parts);
        byte[]? partition = null;
        var range = new KeyCondition([], null, false, null, false, null);
        var ranged = false;
        foreach (var part in parts)
        {
            var (name, values) = Sides(part);
            if (name == keys.PartitionKey)
            {
                if (part is not Comparison { Comparator: Comparator.Equal })
                    throw DynamoDbErrors.Validation("Query key condition not supported");
                if (partition is not null)
                    throw OnePerKey();
                partition = KeyBytes(values[0], name, table);
            }
            else if (name == keys.SortKey)
            {
                if (ranged)
                    throw OnePerKey();
                ranged = true;
                range = Range(part, values.ConvertAll(v => KeyBytes(v, name, table)), table.AttributeTypes[name]);
            }
            else
            {
                throw Missed(parts, keys);
            }
        }

        return partition is null
            ? throw DynamoDbErrors.Validation($"Query condition missed key schema element: {keys.PartitionKey}")
            : range with { PartitionKey = partition };
    }

    /// <summary>Whether a sort key's order-preserving bytes lie within.</summary>
    public bool Includes(ReadOnlySpan<byte> sortKey)
    {
        if (Prefix is not null)
            return sortKey.StartsWith(Prefix);
        if (Low is not null && sortKey.SequenceCompareTo(Low) is var low && (low < 0 || (low == 0 && LowExcluded)))
            return false;
        return High is null || sortKey.SequenceCompareTo(High) is var high && (high < 0 || (high == 0 && !HighExcluded));
    }

    private static KeyCondition Range(Condition part, List<byte[]> values, AttributeType type)
    {
        var open = new KeyCondition([], null, false, null, false, null);
        switch (part)
        {
            case Comparison comparison:
                return comparison.Comparator switch
                {
                    Comparator.Equal => open with { Low = values[0], High = values[0] },
                    Comparator.Less => open with { High = values[0], HighExcluded = true },
                    Comparator.LessOrEqual => open with { High = values[0] },
                    Comparator.Greater => open with { Low = values[0], LowExcluded = true },
                    Comparator.GreaterOrEqual => open with { Low = values[0] },
                    _ => throw InvalidOperator("<>"),
                };
            case BetweenCondition:
                return open with { Low = values[0], High = values[1] };
            default:
                if (type == AttributeType.N)
                    throw Invalid("Incorrect operand type for operator or function; operator or function: begins_with, operand type: N");
                return open with { Prefix = values[0] };
        }
    }

    private static void Flatten(Condition condition, List<Condition> parts)
    {
        switch (condition)
        {
            case AndCondition and:
                Flatten(and.Left, parts);
                Flatten(and.Right, parts);
                break;
            case OrCondition:
                throw InvalidOperator("OR");
            case NotCondition:
                throw InvalidOperator("NOT");
            case InCondition:
                throw InvalidOperator("IN");
            case ExistsCondition exists:
                throw InvalidOperator(exists.Exists ? "attribute_exists" : "attribute_not_exists");
            case TypeCondition:
                throw InvalidOperator("attribute_type");
            case ContainsCondition:
                throw InvalidOperator("contains");
            case Comparison { Comparator: Comparator.NotEqual }:
                throw InvalidOperator("<>");
            case Comparison { Left: ValueOperand, Right: PathOperand } turned:
                parts.Add(new Comparison(Mirrored(turned.Comparator), turned.Right, turned.Left));
                break;
            default:
                parts.Add(condition);
                break;
        }
    }

    private static (string Name, List<AttributeValue> Values) Sides(Condition part)
    {
        Operand[] operands = part switch
        {
            Comparison c => [c.Left, c.Right],
            BetweenCondition b => [b.Value, b.Low, b.High],
            BeginsWithCondition w => [w.Value, w.Prefix],
            _ => throw new InvalidOperationException($"{part.GetType().Name} is no key condition."),
        };
        if (operands.Any(o => o is SizeOperand))
            throw Invalid($"{Kind}s cannot contain nested operations");
        var paths = operands.OfType<PathOperand>().ToList();
        if (paths.Count == 0)
            throw Invalid($"Invalid condition in {Kind}: No key attribute specified");
        if (paths.Count > 1)
            throw Invalid($"Invalid condition in {Kind}: Multiple attribute names used in one condition");
        if (operands[0] is not PathOperand { Path: var path })
            throw Invalid($"Invalid condition in {Kind}: {(part is BetweenCondition ? "BETWEEN" : "begins_with")} operator must have the key attribute as its first operand");
        if (!path.IsTopLevel)
            throw Invalid($"{Kind}s cannot have conditions on nested attributes");
        return (Encoding.UTF8.GetString(path.Root), [.. operands.Skip(1).Cast<ValueOperand>().Select(o => o.Value)]);
    }

    private static Comparator Mirrored(Comparator comparator) => comparator switch
    {
        Comparator.Less => Comparator.Greater,
        Comparator.LessOrEqual => Comparator.GreaterOrEqual,
        Comparator.Greater => Comparator.Less,
        Comparator.GreaterOrEqual => Comparator.LessOrEqual,
        _ => comparator,
    };

    private static byte[] KeyBytes(AttributeValue value, string name, TableDefinition table)
    {
        if (value.Type != table.AttributeTypes[name])
            throw DynamoDbErrors.InvalidValue("Condition parameter type does not match schema type");
        if (value.Type != AttributeType.N && value.PayloadSpan.IsEmpty)
            throw DynamoDbErrors.EmptyKey(value.Type, $"Key: {name}");
        return value.PayloadSpan.ToArray();
    }

    private static Protocol.AwsException Missed(List<Condition> parts, KeySchema keys)
    {
        var asked = parts.ConvertAll(p => Sides(p).Name);
        var missing = !asked.Contains(keys.PartitionKey) ? keys.PartitionKey : keys.SortKey;
        return missing is null || asked.Contains(missing)
            ? DynamoDbErrors.Validation("Query key condition not supported")
            : DynamoDbErrors.Validation($"Query condition missed key schema element: {missing}");
    }

    private static Protocol.AwsException OnePerKey() => Invalid($"{Kind}s must only contain one condition per key");

    private static Protocol.AwsException InvalidOperator(string name) => Invalid($"Invalid operator used in {Kind}: {name}");

    private static Protocol.AwsException Invalid(string detail) => DynamoDbErrors.Validation($"Invalid {Kind}: {detail}");
}
