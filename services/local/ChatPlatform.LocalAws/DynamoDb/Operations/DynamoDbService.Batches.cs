using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Expressions;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>Batches, which are many single operations, and transactions, which are one.</summary>
internal sealed partial class DynamoDbService
{
    private const int MaxBatchWrites = 25;
    private const int MaxBatchReads = 100;
    private const int MaxTransactionActions = 100;
    private const int MaxTransactionSize = 4 * 1024 * 1024;

    /// <summary>What BatchGetItem answers at most; the rest comes back as UnprocessedKeys.</summary>
    private const int MaxBatchAnswer = 16 * 1024 * 1024;

    private void BatchGetItem(Request request, Utf8JsonWriter json)
    {
        var meter = new CapacityMeter(CapacityMode(request));
        var reads = new List<(TableDefinition Table, Projection? Projection, bool Consistent, List<(byte[] Key, JsonElement Json)> Keys, JsonElement Json)>();
        foreach (var (name, part) in request.Map("RequestItems"))
        {
            part.Allow("Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames");
            var table = Definition(TableNameOf(request, name));
            var keys = part.List("Keys").ConvertAll(k => (ItemRules.ReadKey(table, k).Key, k));
            if (keys.Count == 0)
                throw part.Constraint("Keys", "[]", "Member must have length greater than or equal to 1");
            if (AnyTwice(keys.Select(k => (table.Name, k.Key))))
                throw DynamoDbErrors.Validation("Provided list of item keys contains duplicates");
            reads.Add((table, ReadProjection(part), part.Bool("ConsistentRead") == true, keys, part.Root));
        }

        if (reads.Count == 0)
            throw request.Constraint("requestItems", "{}", "Member must have length greater than or equal to 1");
        if (reads.Sum(r => r.Keys.Count) > MaxBatchReads)
            throw DynamoDbErrors.Validation("Too many items requested for the BatchGetItem call");

        var size = 0L;
        var unprocessed = new List<(TableDefinition Table, JsonElement Request, List<JsonElement> Keys)>();
        json.WriteStartObject("Responses");
        foreach (var (table, projection, consistent, keys, part) in reads)
        {
            var left = new List<JsonElement>();
            json.WriteStartArray(table.Name);
            foreach (var (key, keyJson) in keys)
            {
                byte[]? found;
                lock (_store.Gate)
                    found = Find(request, table.Name, key);
                var itemSize = found is null ? 0 : new Item(found).BilledSize();
                if (size + itemSize > MaxBatchAnswer)
                {
                    left.Add(keyJson);
                    continue;
                }

                size += itemSize;
                meter.AddRead(table.Name, CapacityMeter.ReadUnits(itemSize, consistent));
                if (found is not null)
                    AttributeJson.Write(json, projection is null ? new Item(found) : projection.Apply(new Item(found)));
            }

            json.WriteEndArray();
            if (left.Count > 0)
                unprocessed.Add((table, part, left));
        }

        json.WriteEndObject();
        json.WriteStartObject("UnprocessedKeys");
        foreach (var (table, part, keys) in unprocessed)
        {
            json.WriteStartObject(table.Name);
            foreach (var member in part.EnumerateObject().Where(m => m.Name != "Keys"))
                member.WriteTo(json);
            json.WriteStartArray("Keys");
            foreach (var key in keys)
                key.WriteTo(json);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        meter.WriteList(json);
    }

    private void BatchWriteItem(Request request, Utf8JsonWriter json)
    {
        var collections = new ItemCollections(request);
        var meter = new CapacityMeter(CapacityMode(request));
        var writes = new List<(TableDefinition Table, byte[] Key, byte[]? Item)>();
        foreach (var (name, list) in request.Map("RequestItems"))
        {
            var table = Definition(TableNameOf(request, name));
            if (list.Root.ValueKind != JsonValueKind.Array)
                throw AwsException.Serialization($"{AttributeJson.Describe(list.Root.ValueKind)} cannot be converted to List");
            if (list.Root.GetArrayLength() == 0)
            {
                throw request.Constraint("requestItems", $"{{{name}=[]}}",
                    $"Map value must satisfy constraint: [Member must have length less than or equal to {MaxBatchWrites}, Member must have length greater than or equal to 1]");
            }

            foreach (var element in list.Root.EnumerateArray())
            {
                var part = new Request(list.Operation, element).Allow("PutRequest", "DeleteRequest");
                var (put, delete) = (part.Structure("PutRequest")?.Allow("Item"), part.Structure("DeleteRequest")?.Allow("Key"));
                // DynamoDB words this as if it were a value.
                if (put is not null && delete is not null)
                    throw AttributeJson.SeveralTypes();
                if (put is null && delete is null)
                    throw AttributeJson.NoType();
                if (put is not null)
                {
                    var item = AttributeJson.ReadItem(put.RequiredElement("Item"), "Item");
                    writes.Add((table, ItemRules.RequireValid(table, item), item.Encoded.ToArray()));
                    collections.Add(table, item);
                }
                else
                {
                    var (item, key) = ItemRules.ReadKey(table, delete!.RequiredElement("Key"));
                    writes.Add((table, key, null));
                    collections.Add(table, item);
                }
            }
        }

        if (writes.Count == 0)
            throw request.Constraint("requestItems", "{}", "Member must have length greater than or equal to 1");
        if (writes.Count > MaxBatchWrites)
            throw DynamoDbErrors.Validation("Too many items requested for the BatchWriteItem call");
        if (AnyTwice(writes.Select(w => (w.Table.Name, w.Key))))
            throw DynamoDbErrors.Validation("Provided list of item keys contains duplicates");

        var changes = new List<ItemChange>(writes.Count);
        lock (_store.Gate)
        {
            foreach (var (definition, key, item) in writes)
            {
                var table = _store.Require(definition.Name);
                changes.Add(new ItemChange(table, key, table.Find(key), item));
            }

            _store.Commit([.. changes]);
        }

        foreach (var change in changes)
            MeterWrite(meter, change.Table.Definition, change.Key, change.Old, change.Item);
        json.WriteStartObject("UnprocessedItems");
        json.WriteEndObject();
        meter.WriteList(json);
        collections.WriteMap(json, this);
    }

    private void TransactWriteItems(Request request, Utf8JsonWriter json)
    {
        var collections = new ItemCollections(request);
        var meter = new CapacityMeter(CapacityMode(request), transaction: true);
        var actions = request.Structures("TransactItems");
        RequireActionCount(request, actions.Count);
        var writes = actions.ConvertAll(ReadAction);
        var keys = KeysOf(writes.ConvertAll(w => (Table: Definition(w.TableName), w)), (table, write) => write.KeyIn(table));
        RequireTransactionSize(writes.Sum(w => w.RequestSize));
        TransactionToken? token = null;
        if (request.String("ClientRequestToken") is { } text)
        {
            if (text.Length is < 1 or > 36)
                throw request.Constraint("ClientRequestToken", text, $"Member must have length {(text.Length < 1 ? "greater than or equal to 1" : "less than or equal to 36")}");
            token = TransactionToken.Of(text, System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(request.RequiredElement("TransactItems")));
        }

        var changes = new List<ItemChange>(writes.Count);
        lock (_store.Gate)
        {
            if (token is { } known && _store.FindToken(known) is { } earlier)
            {
                if (earlier != known.Request)
                    throw DynamoDbErrors.IdempotentParameterMismatch();
                // Done before: the answer is the same, and what it costs now is reading.
                foreach (var (write, key) in writes.Zip(keys))
                    meter.AddRead(write.TableName, CapacityMeter.ReadUnits(_store.Find(write.TableName)?.Find(key) is { } there ? new Item(there).BilledSize() : 0, consistent: true));
                meter.WriteList(json);
                return;
            }

            var reasons = new List<CancellationReason>(writes.Count);
            foreach (var (write, key) in writes.Zip(keys))
                reasons.Add(Decide(write, key, changes));
            if (reasons.Exists(r => r.Code != "None"))
                throw new TransactionCanceledException(reasons);
            _store.Commit([.. changes], token);
        }

        foreach (var change in changes)
            MeterWrite(meter, change.Table.Definition, change.Key, change.Old, change.Item);
        meter.WriteList(json);
        foreach (var (write, change) in writes.Zip(changes).Where(w => !w.First.IsCheck))
            collections.Add(change.Table.Definition, write.Given);
        collections.WriteMap(json, this);
    }

    /// <summary>Whether an item is named more than once.</summary>
    private static bool AnyTwice(IEnumerable<(string Table, byte[] Key)> items)
    {
        var all = items.ToArray();
        for (var i = 1; i < all.Length; i++)
        {
            for (var earlier = 0; earlier < i; earlier++)
            {
                if (all[i].Key.AsSpan().SequenceEqual(all[earlier].Key) && all[i].Table == all[earlier].Table)
                    return true;
            }
        }

        return false;
    }

    /// <summary>The stored keys of a transaction's actions. Whatever does not fit its table is a reason to cancel, before any condition is looked at.</summary>
    private static List<byte[]> KeysOf<TAction>(List<(TableDefinition Table, TAction Action)> actions, Func<TableDefinition, TAction, byte[]> keyOf)
    {
        var (keys, reasons) = (new List<byte[]>(actions.Count), new List<CancellationReason>(actions.Count));
        foreach (var (table, action) in actions)
        {
            try
            {
                keys.Add(keyOf(table, action));
                reasons.Add(CancellationReason.None);
            }
            catch (AwsException error) when (error.Type == "ValidationException")
            {
                reasons.Add(CancellationReason.ValidationError(error.Message));
            }
        }

        if (keys.Count < actions.Count)
            throw new TransactionCanceledException(reasons);
        if (AnyTwice(actions.Zip(keys, (action, key) => (action.Table.Name, key))))
            throw DynamoDbErrors.Validation("Transaction request cannot include multiple operations on one item");
        return keys;
    }

    /// <summary>Under the store's lock: what one action would do, or why it may not.</summary>
    private CancellationReason Decide(ItemWrite write, byte[] key, List<ItemChange> changes)
    {
        var table = _store.Require(write.TableName);
        var old = table.Find(key);
        if (!write.Meets(old))
            return CancellationReason.ConditionalCheckFailed(write.ReturnOldOnFailure && old is not null ? new Item(old) : null);
        try
        {
            changes.Add(new ItemChange(table, key, old, write.Evaluate(table.Definition, old)));
            return CancellationReason.None;
        }
        catch (AwsException error) when (error.Type == "ValidationException")
        {
            return CancellationReason.ValidationError(error.Message);
        }
    }

    private ItemWrite ReadAction(Request action)
    {
        action.Allow("Put", "Update", "Delete", "ConditionCheck");
        ItemWrite? write = null;
        foreach (var (member, kind) in (ReadOnlySpan<(string, WriteKind)>)[("Put", WriteKind.Put), ("Update", WriteKind.Update), ("Delete", WriteKind.Delete), ("ConditionCheck", WriteKind.Check)])
        {
            if (action.Structure(member) is not { } part)
                continue;
            if (write is not null)
                throw OneAction();
            part.Allow("TableName", kind == WriteKind.Put ? "Item" : "Key", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
                "ReturnValuesOnConditionCheckFailure", kind == WriteKind.Update ? "UpdateExpression" : "TableName");
            if (kind == WriteKind.Update && part.String("UpdateExpression") is null)
                throw part.Missing("UpdateExpression");
            write = new ItemWrite(kind, part);
        }

        return write ?? throw OneAction();
    }

    private static AwsException OneAction() =>
        DynamoDbErrors.Validation("TransactItems can only contain one of Check, Put, Update or Delete");

    private static void RequireActionCount(Request request, int count)
    {
        if (request.Element("TransactItems") is null)
            throw request.Missing("TransactItems");
        if (count == 0)
            throw request.Constraint("TransactItems", "[]", "Member must have length greater than or equal to 1");
        if (count > MaxTransactionActions)
            throw request.Constraint("TransactItems", $"[{count} actions]", $"Member must have length less than or equal to {MaxTransactionActions}");
    }

    private void TransactGetItems(Request request, Utf8JsonWriter json)
    {
        var meter = new CapacityMeter(CapacityMode(request), transaction: true);
        var actions = request.Structures("TransactItems");
        RequireActionCount(request, actions.Count);
        var reads = actions.ConvertAll(action =>
        {
            var get = action.Allow("Get").Structure("Get") ?? throw action.Missing("Get");
            get.Allow("TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames");
            return (Table: get.TableName(), Key: AttributeJson.ReadItem(get.RequiredElement("Key"), "Key"), Projection: ReadProjection(get));
        });
        var keys = KeysOf(reads.ConvertAll(r => (Table: Definition(r.Table), r.Key)), ItemRules.RequireKey);

        var found = new List<byte[]?>(reads.Count);
        lock (_store.Gate)
        {
            foreach (var (read, key) in reads.Zip(keys))
                found.Add(Find(request, read.Table, key));
        }

        RequireTransactionSize(found.Sum(i => i is null ? 0 : new Item(i).BilledSize()));
        json.WriteStartArray("Responses");
        for (var i = 0; i < reads.Count; i++)
        {
            var (table, _, projection) = reads[i];
            json.WriteStartObject();
            meter.AddRead(table, CapacityMeter.ReadUnits(found[i] is { } there ? new Item(there).BilledSize() : 0, consistent: true));
            if (found[i] is { } item)
            {
                json.WritePropertyName("Item");
                AttributeJson.Write(json, projection is null ? new Item(item) : projection.Apply(new Item(item)));
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        meter.WriteList(json);
    }

    private static void RequireTransactionSize(int bytes)
    {
        if (bytes > MaxTransactionSize)
            throw DynamoDbErrors.Validation("Member must have aggregate size less than or equal to 4 MB: the transaction's items are larger");
    }

    private static string TableNameOf(Request request, string key)
    {
        var name = Request.NameIn(key);
        request.RequireName("TableName", name);
        return name;
    }
}
