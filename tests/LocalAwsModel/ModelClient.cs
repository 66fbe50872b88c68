using System.Buffers;
using System.Text;
using System.Text.Json;

namespace ChatPlatform.LocalAwsModel;

/// <summary>
/// One client and its part of the model. Clients work at the same time, yet every answer can be foretold exactly, because the items of a client (partitions named after it,
/// index partitions too) are written by nobody else and it sends one request at a time. The only items that all write are <see cref="SharedAccounts"/>, where each write is
/// conditional on the version before it. When no answer comes, the client remembers what was under way and, once the service is back, looks which of the two states it is:
/// all of it (a transaction) or item by item (a batch); from then on the model is exact again, and the stream must agree with it.
/// </summary>
internal sealed class ModelClient(int number, int seed, ModelTransport transport, SharedAccounts accounts)
{
    private const int Partitions = 3;
    private const int SortKeys = 16;
    private const int ThingCount = 24;
    private static readonly JsonWriterOptions Writing = new() { SkipValidation = true };
    private readonly ModelRandom _random = new(seed, number);
    private readonly Dictionary<ItemPlace, ModelItem> _items = [];
    private readonly List<ModelChange> _changes = [];
    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly long[] _versions = new long[SharedAccounts.Count];
    private Func<Task>? _settle;
    private decimal _version;
    private long _nonce;

    public int Number => number;

    /// <summary>The way to the service; another one after a restart.</summary>
    public ModelTransport Transport { get; set; } = transport;

    /// <summary>What the tables must hold of this client.</summary>
    public IReadOnlyDictionary<ItemPlace, ModelItem> Items => _items;

    /// <summary>What the streams must show of this client since the last <see cref="ForgetChanges"/>, in order.</summary>
    public IReadOnlyList<ModelChange> Changes => _changes;

    public void ForgetChanges() => _changes.Clear();

    /// <summary>Carries out one operation and compares the answer with the model.</summary>
    /// <exception cref="ConnectionLostException">No answer; call <see cref="SettleAsync"/> when the service is back.</exception>
    /// <exception cref="ModelMismatchException">The service and the model disagree.</exception>
    public Task StepAsync() => _random.Next(100) switch
    {
        < 20 => PutAsync(),
        < 41 => UpdateAsync(),
        < 48 => DeleteAsync(),
        < 62 => GetAsync(),
        < 69 => QueryAsync(),
        < 75 => QueryIndexAsync(),
        < 83 => TransactAsync(),
        < 88 => BatchWriteAsync(),
        < 92 => BatchGetAsync(),
        < 96 => BumpAccountAsync(),
        < 99 => TransferAsync(),
        _ => LookAtAccountsAsync(),
    };

    /// <summary>Finds out what became of the operation that had no answer.</summary>
    public async Task SettleAsync()
    {
        if (_settle is { } settle)
            await settle();
        _settle = null;
    }

    private ItemPlace NewPlace() => _random.Next(3) == 0
        ? new(ModelTables.Things, $"c{number}-thing{_random.Next(ThingCount)}", null)
        : new(ModelTables.Rows, Partition(), (_random.Next(SortKeys) - (SortKeys / 2)) * 1.5m);

    private string Partition() => $"c{number}-p{_random.Next(Partitions)}";

    private List<ItemPlace> NewPlaces(int count)
    {
        var places = new HashSet<ItemPlace>();
        while (places.Count < count)
            places.Add(NewPlace());
        return [.. places];
    }

    private ModelItem? Find(ItemPlace place) => _items.GetValueOrDefault(place);

    private async Task PutAsync()
    {
        var place = NewPlace();
        var (old, item, names) = (Find(place), _random.Item(place, ++_version), new Placeholders());
        if (place.Table == ModelTables.Rows && _random.Next(40) == 0)
        {
            // The key of an index must have its type (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html).
            using var refused = await SendAsync("PutItem", json => WriteItem(json, place.Table, "Item", item.With("rank", ModelValue.Of("no number"))));
            Require(refused.Error == "ValidationException", "a put with an index key of another type", refused);
            return;
        }

        var condition = _random.Next(3) == 0 ? ModelCondition.Random(_random, names) : null;
        var fails = condition?.Holds(old ?? ModelItem.Empty) == false;
        using var answer = await SendAsync("PutItem", json =>
        {
            WriteItem(json, place.Table, "Item", item);
            WriteCondition(json, condition, names);
            json.WriteString("ReturnValues", "ALL_OLD");
        }, fails ? [] : [new(place, old, item)]);
        if (!CheckCondition(answer, fails, old))
            RequireAttributes(answer, "Attributes", old);
    }

    private async Task UpdateAsync()
    {
        var place = NewPlace();
        var (old, names) = (Find(place), new Placeholders());
        var update = ModelUpdate.Random(_random, names, ++_version);
        var condition = _random.Next(3) == 0 ? ModelCondition.Random(_random, names) : null;
        var fails = condition?.Holds(old ?? ModelItem.Empty) == false;
        var item = update.Apply(old ?? place.Key);
        var returned = _random.Next(3);
        using var answer = await SendAsync("UpdateItem", json =>
        {
            WriteItem(json, place.Table, "Key", place.Key);
            json.WriteString("UpdateExpression", update.Text);
            WriteCondition(json, condition, names);
            json.WriteString("ReturnValues", returned switch { 0 => "NONE", 1 => "ALL_OLD", _ => "ALL_NEW" });
        }, fails || item is null ? [] : [new(place, old, item)]);
        if (CheckCondition(answer, fails, old, mayFail: item is null))
            return;
        if (item is null)
            Require(answer.Error == "ValidationException", $"the update {update.Text} of {old}", answer);
        else
            RequireAttributes(answer, "Attributes", returned switch { 0 => null, 1 => old, _ => item });
    }

    private async Task DeleteAsync()
    {
        var place = NewPlace();
        var (old, names) = (Find(place), new Placeholders());
        var condition = _random.Next(3) == 0 ? ModelCondition.Random(_random, names) : null;
        var fails = condition?.Holds(old ?? ModelItem.Empty) == false;
        using var answer = await SendAsync("DeleteItem", json =>
        {
            WriteItem(json, place.Table, "Key", place.Key);
            WriteCondition(json, condition, names);
            json.WriteString("ReturnValues", "ALL_OLD");
        }, fails ? [] : [new(place, old, null)]);
        if (!CheckCondition(answer, fails, old))
            RequireAttributes(answer, "Attributes", old);
    }

    private async Task GetAsync()
    {
        var place = NewPlace();
        var projected = _random.Next(4) == 0;
        using var answer = await SendAsync("GetItem", json =>
        {
            WriteItem(json, place.Table, "Key", place.Key);
            if (projected)
                json.WriteString("ProjectionExpression", "pk, ver, doc");
        });
        answer.RequireSuccess("GetItem");
        var item = Find(place);
        RequireAttributes(answer, "Item", projected ? item?.Only("pk", "ver", "doc") : item);
    }

    private async Task QueryAsync()
    {
        var (partition, names, forward) = (Partition(), new Placeholders(), _random.Next(2) == 0);
        var (low, high) = ((_random.Next(SortKeys) - 8) * 1.5m, (_random.Next(SortKeys) - 8) * 1.5m);
        (low, high) = low <= high ? (low, high) : (high, low);
        var key = $"pk = {names.Value(ModelValue.Of(partition))}";
        Func<decimal, bool> within = _ => true;
        switch (_random.Next(6))
        {
            case 0:
                key += $" AND sk BETWEEN {names.Value(ModelValue.Of(low))} AND {names.Value(ModelValue.Of(high))}";
                within = sort => sort >= low && sort <= high;
                break;
            case 1:
                key += $" AND sk > {names.Value(ModelValue.Of(low))}";
                within = sort => sort > low;
                break;
            case 2:
                key += $" AND sk <= {names.Value(ModelValue.Of(high))}";
                within = sort => sort <= high;
                break;
            case 3:
                key += $" AND sk = {names.Value(ModelValue.Of(low))}";
                within = sort => sort == low;
                break;
        }

        var filter = _random.Next(3) == 0 ? ModelCondition.Random(_random, names) : null;
        var expected = _items.Where(i => i.Key.Table == ModelTables.Rows && i.Key.Partition == partition && within(i.Key.Sort!.Value) && filter?.Holds(i.Value) != false)
            .OrderBy(i => forward ? i.Key.Sort : -i.Key.Sort).Select(i => i.Value).ToList();
        var found = await PagesAsync(null, key, filter, names, forward, expected.Count + SortKeys);
        if (found.Count != expected.Count || found.Zip(expected).Any(pair => !pair.Second.Matches(pair.First)))
            throw Mismatch($"the query {key} (filter {filter?.Text}, forward {forward})", string.Join('\n', expected), string.Join('\n', found));
    }

    private async Task QueryIndexAsync()
    {
        var (names, forward) = (new Placeholders(), _random.Next(2) == 0);
        var global = _random.Next(2) == 0;
        string key;
        List<(ItemPlace Place, ModelItem Item)> expected;
        if (global)
        {
            var (tag, least) = (_random.Tag(), _random.Rank());
            key = $"tag = {names.Value(ModelValue.Of(tag))} AND {names.Name("rank")} >= {names.Value(ModelValue.Of(least))}";
            expected = [.. _items.Where(i => i.Key.Table == ModelTables.Rows && i.Value["tag"]?.Text == tag && i.Value.Number("rank") >= least).Select(i => (i.Key, i.Value))];
        }
        else
        {
            var (partition, begin) = (Partition(), _random.Body().EnumerateRunes().First().ToString());
            key = $"pk = {names.Value(ModelValue.Of(partition))} AND begins_with(body, {names.Value(ModelValue.Of(begin))})";
            expected = [.. _items.Where(i => i.Key.Table == ModelTables.Rows && i.Key.Partition == partition && i.Value["body"]?.Text.StartsWith(begin, StringComparison.Ordinal) == true)
                .Select(i => (i.Key, i.Value.Only(ModelTables.ByBodyProjection)))];
        }

        var found = await PagesAsync(global ? ModelTables.ByTag : ModelTables.ByBody, key, null, names, forward, expected.Count + SortKeys);
        // Among equal index keys the order is the service's own; each item must be there once, and the index keys must ascend or descend.
        var left = expected.ToDictionary(e => e.Place, e => e.Item);
        JsonElement? last = null;
        foreach (var item in found)
        {
            var known = left.Remove(ItemPlace.Of(ModelTables.Rows, item), out var wanted) && wanted.Matches(item);
            if (!known || (last is { } before && (forward ? Compare(before, item) : Compare(item, before)) > 0))
                throw Mismatch($"the index query {key} (forward {forward})", string.Join('\n', expected), string.Join('\n', found));
            last = item;
        }

        if (left.Count > 0)
            throw Mismatch($"the index query {key} (forward {forward})", string.Join('\n', expected), string.Join('\n', found));

        int Compare(JsonElement a, JsonElement b) => global
            ? decimal.Compare(Rank(a), Rank(b))
            : Encoding.UTF8.GetBytes(a.GetProperty("body").GetProperty("S").GetString()!).AsSpan()
                .SequenceCompareTo(Encoding.UTF8.GetBytes(b.GetProperty("body").GetProperty("S").GetString()!));

        static decimal Rank(JsonElement item) => decimal.Parse(item.GetProperty("rank").GetProperty("N").GetString()!, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>All pages of a query, of a random size each.</summary>
    private async Task<List<JsonElement>> PagesAsync(string? index, string key, ModelCondition? filter, Placeholders names, bool forward, int most)
    {
        var found = new List<JsonElement>();
        JsonElement? start = null;
        var limit = _random.Next(2) == 0 ? 1 + _random.Next(9) : (int?)null;
        do
        {
            using var page = await SendAsync("Query", json =>
            {
                json.WriteString("TableName", ModelTables.Rows);
                if (index is not null)
                    json.WriteString("IndexName", index);
                json.WriteString("KeyConditionExpression", key);
                if (filter is not null)
                    json.WriteString("FilterExpression", filter.Text);
                WritePlaceholders(json, names);
                json.WriteBoolean("ScanIndexForward", forward);
                if (limit is { } size)
                    json.WriteNumber("Limit", size);
                if (start is { } from)
                {
                    json.WritePropertyName("ExclusiveStartKey");
                    from.WriteTo(json);
                }
            });
            page.RequireSuccess(key);
            found.AddRange(page.Body.GetProperty("Items").EnumerateArray().Select(i => i.Clone()));
            start = page.Body.TryGetProperty("LastEvaluatedKey", out var last) ? last.Clone() : null;
            if (found.Count > most)
                throw new ModelMismatchException($"The query {key} does not end.");
        }
        while (start is not null);
        return found;
    }

    private async Task TransactAsync()
    {
        var places = NewPlaces(2 + _random.Next(4));
        var actions = places.ConvertAll(place => PlanAction(place, Find(place)));
        var codes = actions.ConvertAll(a => a.Fails ? "ConditionalCheckFailed" : a.Invalid ? "ValidationError" : "None");
        var ok = codes.TrueForAll(c => c == "None");
        var changes = ok ? actions.Where(a => !a.IsCheck).Select(a => new ModelChange(a.Place, Find(a.Place), a.After)).ToArray() : [];
        var token = _random.Next(2) == 0 ? $"c{number}-{_nonce++}" : null;
        await TransactAsync(Write, changes, token, answer =>
        {
            if (ok)
                answer.RequireSuccess("TransactWriteItems");
            else
                RequireReasons(answer, codes);
        });
        if (ok && token is not null && _random.Next(4) == 0)
        {
            // The same again is the same answer and no second write.
            using var again = await SendAsync("TransactWriteItems", Write);
            again.RequireSuccess("A repeated TransactWriteItems");
        }

        void Write(Utf8JsonWriter json)
        {
            json.WriteStartArray("TransactItems");
            foreach (var action in actions)
            {
                json.WriteStartObject();
                json.WriteStartObject(action.Kind);
                action.Write(json);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (token is not null)
                json.WriteString("ClientRequestToken", token);
        }
    }

    private PlannedAction PlanAction(ItemPlace place, ModelItem? old)
    {
        var names = new Placeholders();
        var kind = _random.Next(4);
        var condition = kind == 3 || _random.Next(6) == 0 ? ModelCondition.Random(_random, names) : null;
        var fails = condition?.Holds(old ?? ModelItem.Empty) == false;
        switch (kind)
        {
            case 0:
                var item = _random.Item(place, ++_version);
                return new("Put", place, item, fails, false, json =>
                {
                    WriteItem(json, place.Table, "Item", item);
                    WriteCondition(json, condition, names);
                });
            case 1:
                var update = ModelUpdate.Random(_random, names, ++_version);
                var updated = update.Apply(old ?? place.Key);
                return new("Update", place, updated, fails, updated is null, json =>
                {
                    WriteItem(json, place.Table, "Key", place.Key);
                    json.WriteString("UpdateExpression", update.Text);
                    WriteCondition(json, condition, names);
                });
            default:
                return new(kind == 2 ? "Delete" : "ConditionCheck", place, null, fails, false, json =>
                {
                    WriteItem(json, place.Table, "Key", place.Key);
                    WriteCondition(json, condition, names);
                });
        }
    }

    /// <summary>Sends a transaction. Without an answer, one with a token is sent again (it happens once however often it is sent); one without is looked up.</summary>
    private async Task TransactAsync(Action<Utf8JsonWriter> write, ModelChange[] changes, string? token, Action<ModelAnswer> check)
    {
        _settle = token is null
            ? () => LookUpAsync(changes, together: true)
            : async () =>
            {
                using var again = await SendAsync("TransactWriteItems", write);
                check(again);
                Apply(changes);
            };
        using var answer = await SendAsync("TransactWriteItems", write);
        check(answer);
        _settle = null;
        Apply(changes);
    }

    private async Task BatchWriteAsync()
    {
        var changes = NewPlaces(2 + _random.Next(9))
            .ConvertAll(place => new ModelChange(place, Find(place), _random.Next(4) == 0 ? null : _random.Item(place, ++_version)))
            .ToArray();
        using var answer = await SendAsync("BatchWriteItem", json =>
        {
            json.WriteStartObject("RequestItems");
            foreach (var table in changes.GroupBy(c => c.Place.Table))
            {
                json.WriteStartArray(table.Key);
                foreach (var change in table)
                {
                    json.WriteStartObject();
                    json.WriteStartObject(change.New is null ? "DeleteRequest" : "PutRequest");
                    json.WritePropertyName(change.New is null ? "Key" : "Item");
                    (change.New ?? change.Place.Key).Write(json);
                    json.WriteEndObject();
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            }

            json.WriteEndObject();
        }, changes);
        answer.RequireSuccess("BatchWriteItem");
        if (answer.Body.GetProperty("UnprocessedItems").EnumerateObject().Any())
            throw new ModelMismatchException("A batch left items unprocessed.");
    }

    private async Task BatchGetAsync()
    {
        var places = NewPlaces(2 + _random.Next(9));
        using var answer = await SendAsync("BatchGetItem", json =>
        {
            json.WriteStartObject("RequestItems");
            foreach (var table in places.GroupBy(p => p.Table))
            {
                json.WriteStartObject(table.Key);
                json.WriteStartArray("Keys");
                foreach (var place in table)
                    place.Key.Write(json);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        });
        answer.RequireSuccess("BatchGetItem");
        var expected = places.Where(p => Find(p) is not null).ToHashSet();
        foreach (var table in answer.Body.GetProperty("Responses").EnumerateObject())
        {
            foreach (var item in table.Value.EnumerateArray())
            {
                var place = ItemPlace.Of(table.Name, item);
                if (!expected.Remove(place) || Find(place)?.Matches(item) != true)
                    throw Mismatch($"a batch's item {place}", Find(place)?.ToString(), item.GetRawText());
            }
        }

        if (expected.Count > 0)
            throw new ModelMismatchException($"A batch lacks {string.Join(", ", expected)}.");
    }

    /// <summary>Moves one account to its next version, if this client knows the present one.</summary>
    private async Task BumpAccountAsync()
    {
        var account = _random.Next(SharedAccounts.Count);
        var (version, nonce) = (_versions[account], $"c{number}-{_nonce++}");
        _settle = () =>
        {
            accounts.Unknown(account, version + 1, nonce);
            return Task.CompletedTask;
        };
        using var answer = await SendAsync("UpdateItem", json =>
        {
            WriteAccountUpdate(json, account, version, 0, nonce);
            json.WriteString("ReturnValues", "ALL_NEW");
        });
        _settle = null;
        if (answer.Error is null)
        {
            accounts.Acknowledged(account, version + 1, nonce);
            _versions[account]++;
            Require(SharedAccounts.Version(answer.Body.GetProperty("Attributes")) == version + 1, "an account's next version", answer);
            return;
        }

        Require(answer.Error == "ConditionalCheckFailedException", "an account's condition", answer);
        _versions[account] = SharedAccounts.Version(answer.Body.GetProperty("Item"));
        Require(_versions[account] > version, "an account that moved on", answer);
    }

    /// <summary>Moves an amount between two accounts and leaves a receipt among this client's own items, in one transaction.</summary>
    private async Task TransferAsync()
    {
        var from = _random.Next(SharedAccounts.Count);
        var to = (from + 1 + _random.Next(SharedAccounts.Count - 1)) % SharedAccounts.Count;
        var (fromVersion, toVersion, amount, nonce) = (_versions[from], _versions[to], 1 + _random.Next(50), $"c{number}-{_nonce++}");
        var place = new ItemPlace(ModelTables.Things, $"c{number}-receipt{_random.Next(4)}", null);
        var change = new ModelChange(place, Find(place), place.Key.With("nonce", ModelValue.Of(nonce)));
        _settle = async () =>
        {
            // The receipt tells about the accounts: all three or none.
            await LookUpAsync([change], together: true);
            if (change.New!.Equals(Find(place)))
                Moved();
        };
        using var answer = await SendAsync("TransactWriteItems", json =>
        {
            json.WriteStartArray("TransactItems");
            foreach (var (account, version, sign) in ((int, long, int)[])[(from, fromVersion, -1), (to, toVersion, 1)])
            {
                json.WriteStartObject();
                json.WriteStartObject("Update");
                WriteAccountUpdate(json, account, version, sign * amount, nonce);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteStartObject();
            json.WriteStartObject("Put");
            WriteItem(json, place.Table, "Item", change.New!);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndArray();
        });
        _settle = null;
        if (answer.Error is null)
        {
            Apply([change]);
            Moved();
            return;
        }

        Require(answer.Error == "TransactionCanceledException", "a transfer", answer);
        var reasons = answer.Body.GetProperty("CancellationReasons").EnumerateArray().ToArray();
        Require(reasons.Any(r => r.GetProperty("Code").GetString() == "ConditionalCheckFailed"), "a refused transfer", answer);
        foreach (var (account, reason) in (ReadOnlySpan<(int, JsonElement)>)[(from, reasons[0]), (to, reasons[1])])
        {
            if (reason.TryGetProperty("Item", out var item))
                _versions[account] = SharedAccounts.Version(item);
        }

        void Moved()
        {
            accounts.Acknowledged(from, fromVersion + 1, nonce);
            accounts.Acknowledged(to, toVersion + 1, nonce);
            (_versions[from], _versions[to]) = (fromVersion + 1, toVersion + 1);
        }
    }

    /// <summary>Reads all accounts in one transaction: nothing is created or lost between them, and no account goes back.</summary>
    private async Task LookAtAccountsAsync()
    {
        using var answer = await SendAsync("TransactGetItems", json =>
        {
            json.WriteStartArray("TransactItems");
            for (var account = 0; account < SharedAccounts.Count; account++)
            {
                json.WriteStartObject();
                json.WriteStartObject("Get");
                WriteItem(json, ModelTables.Things, "Key", SharedAccounts.Place(account).Key);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
        answer.RequireSuccess("TransactGetItems");
        var sum = 0m;
        foreach (var (response, account) in answer.Body.GetProperty("Responses").EnumerateArray().Select((r, i) => (r.GetProperty("Item"), i)))
        {
            sum += decimal.Parse(response.GetProperty("balance").GetProperty("N").GetString()!, System.Globalization.CultureInfo.InvariantCulture);
            var version = SharedAccounts.Version(response);
            Require(version >= _versions[account], $"account {account} at version {_versions[account]} or later", answer);
            _versions[account] = version;
        }

        Require(sum == SharedAccounts.Count * SharedAccounts.Opening, $"balances that add up, not {sum}", answer);
    }

    /// <summary>Sends a request that makes these changes, each on its own, and applies them when it succeeds. Without an answer they are looked up later.</summary>
    private async Task<ModelAnswer> SendAsync(string operation, Action<Utf8JsonWriter> write, ModelChange[] changes)
    {
        _settle = () => LookUpAsync(changes, together: false);
        var answer = await SendAsync(operation, write);
        _settle = null;
        if (answer.Error is null)
            Apply(changes);
        return answer;
    }

    private Task<ModelAnswer> SendAsync(string operation, Action<Utf8JsonWriter> write)
    {
        _buffer.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(_buffer, Writing))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Transport($"DynamoDB_20120810.{operation}", _buffer.WrittenMemory);
    }

    /// <summary>Which of its two possible states each item is in.</summary>
    /// <param name="changes">What the request without an answer was to do.</param>
    /// <param name="together">Whether it was to do all or nothing.</param>
    private async Task LookUpAsync(ModelChange[] changes, bool together)
    {
        var made = new List<ModelChange>();
        var notMade = new List<ModelChange>();
        foreach (var change in changes.Where(c => !Equals(c.Old, c.New)))
        {
            using var answer = await SendAsync("GetItem", json => WriteItem(json, change.Place.Table, "Key", change.Place.Key));
            answer.RequireSuccess("GetItem");
            JsonElement? there = answer.Body.TryGetProperty("Item", out var item) ? item : null;
            var isNew = change.New is null ? there is null : there is not null && change.New.Matches(there.Value);
            var isOld = change.Old is null ? there is null : there is not null && change.Old.Matches(there.Value);
            if (!isNew && !isOld)
                throw Mismatch($"{change.Place} after a lost connection", $"{change.Old} or {change.New}", there?.GetRawText());
            (isNew ? made : notMade).Add(change);
        }

        if (together && made.Count > 0 && notMade.Count > 0)
            throw new ModelMismatchException($"A transaction was torn: {string.Join(", ", made)} happened, {string.Join(", ", notMade)} did not.");
        Apply(made);
    }

    private void Apply(IEnumerable<ModelChange> changes)
    {
        foreach (var change in changes)
        {
            if (change.New is null)
                _items.Remove(change.Place);
            else
                _items[change.Place] = change.New;
            // A write that changes nothing leaves no record (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html).
            if (!Equals(change.Old, change.New))
                _changes.Add(change);
        }
    }

    private static void WriteItem(Utf8JsonWriter json, string table, string member, ModelItem item)
    {
        json.WriteString("TableName", table);
        json.WritePropertyName(member);
        item.Write(json);
    }

    private static void WriteCondition(Utf8JsonWriter json, ModelCondition? condition, Placeholders names)
    {
        if (condition is not null)
        {
            json.WriteString("ConditionExpression", condition.Text);
            json.WriteString("ReturnValuesOnConditionCheckFailure", "ALL_OLD");
        }

        WritePlaceholders(json, names);
    }

    private static void WritePlaceholders(Utf8JsonWriter json, Placeholders names)
    {
        if (names.Values.Count > 0)
        {
            json.WritePropertyName("ExpressionAttributeValues");
            new ModelItem(names.Values).Write(json);
        }

        if (names.Names.Count == 0)
            return;
        json.WriteStartObject("ExpressionAttributeNames");
        foreach (var (placeholder, name) in names.Names)
            json.WriteString(placeholder, name);
        json.WriteEndObject();
    }

    private static void WriteAccountUpdate(Utf8JsonWriter json, int account, long version, decimal amount, string nonce)
    {
        var names = new Placeholders();
        WriteItem(json, ModelTables.Things, "Key", SharedAccounts.Place(account).Key);
        json.WriteString("UpdateExpression",
            $"SET v = v + {names.Value(ModelValue.Of(1))}, nonce = {names.Value(ModelValue.Of(nonce))} ADD balance {names.Value(ModelValue.Of(amount))}");
        WriteCondition(json, new($"v = {names.Value(ModelValue.Of(version))}", _ => true), names);
    }

    /// <summary>True when the condition failed, as the model said, or when anything else did that the caller allows and checks itself.</summary>
    private static bool CheckCondition(ModelAnswer answer, bool fails, ModelItem? old, bool mayFail = false)
    {
        if (!fails)
        {
            if (!mayFail)
                answer.RequireSuccess("A write whose condition holds");
            return false;
        }

        Require(answer.Error == "ConditionalCheckFailedException", $"a failed condition of {old}", answer);
        RequireAttributes(answer, "Item", old);
        return true;
    }

    private static void RequireAttributes(ModelAnswer answer, string member, ModelItem? expected)
    {
        if (answer.Body.TryGetProperty(member, out var found) ? expected?.Matches(found) != true : expected is { Count: > 0 })
            throw Mismatch(member, expected?.ToString(), answer.Body.GetRawText());
    }

    private static void RequireReasons(ModelAnswer answer, List<string> codes)
    {
        Require(answer.Error == "TransactionCanceledException", $"cancellation with {string.Join(", ", codes)}", answer);
        var found = answer.Body.GetProperty("CancellationReasons").EnumerateArray().Select(r => r.GetProperty("Code").GetString());
        Require(found.SequenceEqual(codes), $"reasons {string.Join(", ", codes)}", answer);
    }

    private static void Require(bool holds, string what, ModelAnswer answer)
    {
        if (!holds)
            throw new ModelMismatchException($"Expected {what}; the answer was {answer.Error} {answer.Body.GetRawText()}");
    }

    private static ModelMismatchException Mismatch(string what, string? expected, string? found) =>
        new($"{what}\nthe model says: {expected ?? "nothing"}\nthe service says: {found ?? "nothing"}");

    /// <summary>One action of a transaction and what it would leave.</summary>
    private sealed record PlannedAction(string Kind, ItemPlace Place, ModelItem? After, bool Fails, bool Invalid, Action<Utf8JsonWriter> Write)
    {
        public bool IsCheck => Kind == "ConditionCheck";
    }
}
