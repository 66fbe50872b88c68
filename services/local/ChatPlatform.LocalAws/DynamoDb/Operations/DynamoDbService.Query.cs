using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Expressions;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Storage;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>Query and Scan (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html).</summary>
internal sealed partial class DynamoDbService
{
    /// <summary>A page ends with the item that takes what was read to 1 MB; filters count afterwards.</summary>
    private const int PageSize = 1024 * 1024;

    private const int MaxSegments = 1_000_000;
    private const string InvalidStart = "The provided starting key is invalid";

    private void Query(Request request, Utf8JsonWriter json)
    {
        var source = ReadSource(request);
        var names = new ExpressionNames(request.Element("ExpressionAttributeNames"), request.Element("ExpressionAttributeValues"));
        var text = request.String("KeyConditionExpression")
            ?? throw DynamoDbErrors.Validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.");
        var condition = KeyCondition.Parse(text, names, source.Keys, source.Table);
        var shape = ReadShape(request, names, source, "FilterExpression can only be specified when using expressions", isQuery: true);
        var forward = request.Bool("ScanIndexForward") ?? true;

        var prefix = ItemKeys.PartitionPrefix(condition.PartitionKey);
        var low = condition.Prefix ?? condition.Low ?? [];
        byte[] from = [.. prefix, .. source.Stored(low)];
        var (start, startItem) = ReadStartKey(request, source, InvalidStart);
        if (start is not null && !start.AsSpan().StartsWith(prefix))
            throw DynamoDbErrors.Validation("The provided starting key is outside query boundaries based on provided conditions");
        if (start is not null && source.Keys.SortName is { } sortName && !condition.Includes(Item.Payload(startItem.Encoded.Span, sortName)))
            throw DynamoDbErrors.Validation("The provided starting key does not match the range key predicate");
        // The nearer of the range's end and the place to go on from; the entry at that place was given already.
        var edge = forward ? from : Above(condition, prefix, source);
        var resumes = start is not null && (edge is null || start.AsSpan().SequenceCompareTo(edge) is var order && (forward ? order >= 0 : order < 0));
        var range = new Range(
            Forward: forward,
            Partition: source.Index is null ? prefix : [],
            From: resumes ? start : edge,
            Inclusive: !resumes,
            Contains: (_, item) =>
            {
                if (!Item.Payload(item, source.Keys.PartitionName).SequenceEqual(condition.PartitionKey))
                    return null;
                if (source.Keys.SortName is null)
                    return true;
                var sort = Item.Payload(item, source.Keys.SortName);
                if (condition.Includes(sort))
                    return true;
                // Outside on the near side (an excluded end): go on. On the far side: done.
                var near = forward ? condition.Low : condition.High;
                return near is not null && sort.SequenceEqual(near) ? false : null;
            });
        Answer(request, source, shape, range, json);
    }

    private void Scan(Request request, Utf8JsonWriter json)
    {
        var source = ReadSource(request);
        var names = new ExpressionNames(request.Element("ExpressionAttributeNames"), request.Element("ExpressionAttributeValues"));
        var shape = ReadShape(request, names, source, "FilterExpression is null", isQuery: false);
        var total = request.Int("TotalSegments", 1, MaxSegments);
        var segment = request.Int("Segment", 0, MaxSegments - 1);
        if (total is null != segment is null)
        {
            throw DynamoDbErrors.Validation(total is null
                ? "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"
                : "The Segment parameter is required but was not present in the request when parameter TotalSegments is present");
        }

        if (segment >= total)
            throw DynamoDbErrors.Validation($"The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {segment} is not less than TotalSegments: {total}");
        var from = total is null ? [] : ItemKeys.SegmentStart((int)segment!, (int)total)!;
        var end = total is null ? null : ItemKeys.SegmentStart((int)segment! + 1, (int)total);
        var last = end is null ? ulong.MaxValue : BinaryPrimitives.ReadUInt64BigEndian(end) - 1;
        var (start, _) = ReadStartKey(request, source, source.Index is null ? $"{InvalidStart}: The provided key element does not match the schema" : InvalidStart);
        if (start is not null && (start.AsSpan().SequenceCompareTo(from) < 0 || (end is not null && start.AsSpan().SequenceCompareTo(end) >= 0)))
            throw DynamoDbErrors.Validation("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment.");
        Answer(request, source, shape, new Range(true, [], start ?? from, start is null, (head, _) => head <= last ? true : null), json);
    }

    private void Answer(Request request, Source source, Shape shape, Range range, Utf8JsonWriter json)
    {
        var meter = new CapacityMeter(CapacityMode(request));
        var (count, scanned, bytes, fetched) = (0, 0, 0L, 0.0);
        byte[]? lastItem = null;
        var more = false;
        if (shape.WritesItems)
            json.WriteStartArray("Items");
        foreach (var entry in Read(request, source, range, shape.Limit))
        {
            var item = new Item(entry);
            var shown = source.Index is null ? item : ItemRules.Project(source.Table, source.Index, item);
            bytes += shown.BilledSize();
            scanned++;
            lastItem = entry;
            if (shape.FetchesFromTable)
            {
                // A local index fetches what it lacks from the table, one read an item.
                fetched += CapacityMeter.ReadUnits(item.BilledSize(), shape.Consistent);
                shown = item;
            }

            if (shape.Filter is null || ConditionEvaluator.Holds(shape.Filter, shown))
            {
                count++;
                if (shape.WritesItems)
                    AttributeJson.Write(json, shape.Projection is null ? shown : shape.Projection.Apply(shown));
            }

            // A page that is full says so, even when nothing is left behind it.
            more = scanned == shape.Limit || bytes >= PageSize;
            if (more)
                break;
        }

        if (shape.WritesItems)
            json.WriteEndArray();
        json.WriteNumber("Count", count);
        json.WriteNumber("ScannedCount", scanned);
        if (more && lastItem is not null)
        {
            var writer = new ValueWriter(64);
            ItemRules.WriteAttributes(writer, source.Keys.Names.Concat(source.Table.Keys.Names).Distinct(), new Item(lastItem));
            json.WritePropertyName("LastEvaluatedKey");
            AttributeJson.Write(json, writer.ToItem());
        }

        var units = CapacityMeter.ReadUnits(bytes, shape.Consistent);
        if (source.Index is { } index)
        {
            meter.AddRead(source.Table.Name, units, index.Name, index.Kind == IndexKind.Local);
            meter.AddRead(source.Table.Name, fetched);
        }
        else
        {
            meter.AddRead(source.Table.Name, units);
        }

        meter.WriteOne(json);
    }

    /// <summary>
    /// The items of a range, read from the store in batches so that the lock is held briefly. Between batches others may write: a page is no snapshot, as in DynamoDB.
    /// </summary>
    private IEnumerable<byte[]> Read(Request request, Source source, Range range, int limit)
    {
        var batch = new List<byte[]>();
        var left = limit;
        for (Range? next = range; next is not null && left > 0;)
        {
            batch.Clear();
            lock (_store.Gate)
            {
                var table = _store.Require(source.Table.Name);
                request.See(_store.Unwritten(table, range.Partition, prefix: true));
                if (source.Index is null)
                    next = Collect(table.Items, item => item, table.KeyOf, next, left, batch);
                else if (table.Indexes.TryGetValue(source.Index.Name, out var index))
                    next = Collect(index.Entries, entry => entry.Item, entry => entry.Key, next, left, batch);
                else
                    throw NoIndex(source.Index.Name);
            }

            left -= batch.Count;
            foreach (var item in batch)
                yield return item;
        }
    }

    /// <summary>Adds the items of a range to a batch until one of them is full; gives what is left of the range, null when nothing is.</summary>
    private static Range? Collect<TEntry, TOrder>(
        OrderedIndex<TEntry, TOrder> entries, Func<TEntry, byte[]> itemOf, Func<TEntry, byte[]> keyOf, Range range, int limit, List<byte[]> batch)
        where TEntry : notnull
        where TOrder : IKeyOrder<TEntry>
    {
        const int batchBytes = 256 * 1024;
        var bytes = 0;
        foreach (var (head, entry) in range.Forward ? entries.Ascend(range.From!, range.Inclusive) : entries.Descend(range.From))
        {
            var item = itemOf(entry);
            if (range.Contains(head, item) is not { } within)
                return null;
            if (!within)
                continue;
            batch.Add(item);
            bytes += item.Length;
            if (batch.Count == limit || bytes >= batchBytes)
                return range with { From = keyOf(entry), Inclusive = false };
        }

        return null;
    }

    /// <summary>The items under a partition key, for other than answering a query.</summary>
    internal IEnumerable<byte[]> ReadPartition(Request request, TableDefinition table, Item key)
    {
        var partition = Item.Payload(key.Encoded.Span, table.Keys.PartitionName).ToArray();
        var prefix = ItemKeys.PartitionPrefix(partition);
        var range = new Range(true, prefix, prefix, true, (_, item) => Item.Payload(item, table.Keys.PartitionName).SequenceEqual(partition) ? true : null);
        return Read(request, new Source(table, null), range, int.MaxValue);
    }

    private Source ReadSource(Request request)
    {
        var table = Definition(request.TableName());
        if (request.String("IndexName") is not { } name)
            return new Source(table, null);
        request.RequireName("IndexName", name);
        return new Source(table, table.Indexes.FirstOrDefault(i => i.Name == name) ?? throw NoIndex(name));
    }

    private static Protocol.AwsException NoIndex(string name) => DynamoDbErrors.Validation($"The table does not have the specified index: {name}");

    private static Shape ReadShape(Request request, ExpressionNames names, Source source, string noValueExpression, bool isQuery)
    {
        var consistent = request.Bool("ConsistentRead") == true;
        if (consistent && source.Index?.Kind == IndexKind.Global)
            throw DynamoDbErrors.Validation("Consistent reads are not supported on global secondary indexes");
        var filterText = request.String("FilterExpression");
        var filter = filterText is null ? null : ExpressionParser.ParseCondition(filterText, "FilterExpression", names);
        if (isQuery && filter is not null)
        {
            foreach (var name in ConditionPaths.Roots(filter))
            {
                if (source.Keys.Names.Contains(name))
                    throw DynamoDbErrors.Validation($"Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}");
            }
        }

        var projectionText = request.String("ProjectionExpression");
        var projection = projectionText is null ? null : new Projection(ExpressionParser.ParseProjection(projectionText, names));
        names.RequireAllUsed(isQuery || filterText is not null || projectionText is not null, isQuery || filterText is not null, noValueExpression);

        var select = request.Choice("Select", "", "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES");
        if (projection is not null && select is not ("" or "SPECIFIC_ATTRIBUTES"))
            throw DynamoDbErrors.Validation($"Cannot specify the ProjectionExpression when choosing to get {(select == "COUNT" ? "only the Count" : select)}");
        if (projection is null && select == "SPECIFIC_ATTRIBUTES")
            throw DynamoDbErrors.Validation("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES");
        if (source.Index is null && select == "ALL_PROJECTED_ATTRIBUTES")
            throw DynamoDbErrors.Validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");

        var fetches = false;
        if (source.Index is { ProjectionType: not "ALL" } index)
        {
            var lacking = projection?.TopLevelNames.Where(n => !index.Projects(n, source.Table.Keys)).ToList() ?? [];
            if (index.Kind == IndexKind.Local)
                fetches = lacking.Count > 0 || select == "ALL_ATTRIBUTES";
            else if (select == "ALL_ATTRIBUTES")
                throw DynamoDbErrors.InvalidValue($"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.Name} because its projection type is not ALL");
            else if (lacking.Count > 0)
                throw DynamoDbErrors.InvalidValue($"Global secondary index {index.Name} does not project [{string.Join(", ", lacking)}]");
        }

        var limit = (int)(request.Int("Limit", 1, int.MaxValue) ?? int.MaxValue);
        return new Shape(filter, projection, select != "COUNT", consistent, limit, fetches);
    }

    /// <summary>The stored key that <c>ExclusiveStartKey</c> means, and its attributes; null without one.</summary>
    private static (byte[]? Key, Item Item) ReadStartKey(Request request, Source source, string invalid)
    {
        if (request.Element("ExclusiveStartKey") is not { } element)
            return (null, Item.Empty);
        var item = AttributeJson.ReadItem(element, "ExclusiveStartKey");
        var names = source.Keys.Names.Concat(source.Table.Keys.Names).Distinct().ToList();
        if (item.Count() != names.Count)
            throw DynamoDbErrors.Validation(invalid);
        foreach (var name in names)
        {
            if (!item.TryGet(Encoding.UTF8.GetBytes(name), out var value) || value.Type != source.Table.AttributeTypes[name])
                throw DynamoDbErrors.Validation(invalid);
        }

        var tableKey = ItemRules.RequireKey(source.Table, ItemRules.KeyOf(source.Table.Keys, item));
        return (source.Index is null ? tableKey : ItemKeys.OfIndex(source.Table, source.Index, item, tableKey), item);
    }

    /// <summary>The smallest key above everything that a query can give, for reading downwards.</summary>
    private static byte[]? Above(KeyCondition condition, byte[] prefix, Source source)
    {
        if (condition.Prefix is { } begin)
            return Successor([.. prefix, .. source.Stored(begin)]);
        if (condition.High is not { } high)
            return Successor(prefix);
        // In an index two zeros end a sort key; 00 01 is above every entry of that sort key and below every larger one.
        return source.Index is null ? [.. prefix, .. high, 0] : [.. prefix, .. source.Stored(high), 0, 1];
    }

    /// <summary>The smallest key that does not begin like this one; null when there is none.</summary>
    private static byte[]? Successor(byte[] prefix)
    {
        var length = prefix.Length;
        while (length > 0 && prefix[length - 1] == 0xFF)
            length--;
        if (length == 0)
            return null;
        var next = prefix[..length];
        next[^1]++;
        return next;
    }

    /// <summary>What is read: a table, or one of its indexes.</summary>
    private sealed record Source(TableDefinition Table, IndexDefinition? Index)
    {
        public KeySchema Keys => Index?.Keys ?? Table.Keys;

        /// <summary>A sort key's bytes as they stand in the stored key.</summary>
        public byte[] Stored(byte[] sortKey) => Index is null ? sortKey : ItemKeys.Escape(sortKey);
    }

    /// <summary>What becomes of an item that was read.</summary>
    private sealed record Shape(Condition? Filter, Projection? Projection, bool WritesItems, bool Consistent, int Limit, bool FetchesFromTable);

    /// <summary>Where reading begins and which entries, by head and item, it takes; <paramref name="Contains"/> gives null where it ends.</summary>
    /// <param name="Partition">What the table keys of all entries begin with; empty when they may be any.</param>
    private sealed record Range(bool Forward, byte[] Partition, byte[]? From, bool Inclusive, Func<ulong, byte[], bool?> Contains);
}
