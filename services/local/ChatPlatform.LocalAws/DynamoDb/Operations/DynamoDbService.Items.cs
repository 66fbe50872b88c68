using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Expressions;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>Single items.</summary>
internal sealed partial class DynamoDbService
{
    private static string CapacityMode(Request request) => request.Choice("ReturnConsumedCapacity", "NONE", "INDEXES", "TOTAL", "NONE");

    private void PutItem(Request request, Utf8JsonWriter json)
    {
        var returned = request.Choice("ReturnValues", "NONE", "ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW");
        if (returned is not ("NONE" or "ALL_OLD"))
            throw DynamoDbErrors.Validation("Return values set to invalid value");
        Write(WriteKind.Put, request, returned, json);
    }

    private void DeleteItem(Request request, Utf8JsonWriter json)
    {
        var returned = request.Choice("ReturnValues", "NONE", "ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW");
        if (returned is not ("NONE" or "ALL_OLD"))
            throw DynamoDbErrors.Validation("Return values set to invalid value");
        Write(WriteKind.Delete, request, returned, json);
    }

    private void UpdateItem(Request request, Utf8JsonWriter json)
    {
        Write(WriteKind.Update, request, request.Choice("ReturnValues", "NONE", "ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"), json);
    }

    private void Write(WriteKind kind, Request request, string returned, Utf8JsonWriter json)
    {
        var collections = new ItemCollections(request);
        var meter = new CapacityMeter(CapacityMode(request));
        var write = new ItemWrite(kind, request);
        var definition = Definition(write.TableName);
        var key = write.KeyIn(definition);
        byte[]? old, item;
        lock (_store.Gate)
        {
            var table = _store.Require(write.TableName);
            old = table.Find(key);
            if (!write.Meets(old))
                throw new ConditionalCheckFailedException(write.ReturnOldOnFailure && old is not null ? new Item(old) : null);
            item = write.Evaluate(table.Definition, old);
            _store.Commit([new ItemChange(table, key, old, item)]);
            definition = table.Definition;
        }

        MeterWrite(meter, definition, key, old, item);
        collections.Add(definition, write.Given);
        Item? attributes = returned switch
        {
            "ALL_OLD" when old is not null => new Item(old),
            "ALL_NEW" => new Item(item),
            "UPDATED_OLD" when old is not null => new Projection(write.UpdatedPaths).Apply(new Item(old)),
            "UPDATED_NEW" => new Projection(write.UpdatedPaths).Apply(new Item(item)),
            _ => null,
        };
        if (attributes is { IsEmpty: false } shown)
        {
            json.WritePropertyName("Attributes");
            AttributeJson.Write(json, shown);
        }

        meter.WriteOne(json);
        collections.WriteOne(json, this);
    }

    private void GetItem(Request request, Utf8JsonWriter json)
    {
        var meter = new CapacityMeter(CapacityMode(request));
        var definition = Definition(request.TableName());
        var projection = ReadProjection(request);
        var (_, key) = ItemRules.ReadKey(definition, request.RequiredElement("Key"));
        byte[]? found;
        lock (_store.Gate)
            found = Find(request, definition.Name, key);
        meter.AddRead(definition.Name, CapacityMeter.ReadUnits(found is null ? 0 : new Item(found).BilledSize(), request.Bool("ConsistentRead") == true));
        if (found is not null)
        {
            json.WritePropertyName("Item");
            AttributeJson.Write(json, projection is null ? new Item(found) : projection.Apply(new Item(found)));
        }

        meter.WriteOne(json);
    }

    /// <summary>Under the store's lock: an item that an answer is going to show, or not to.</summary>
    private byte[]? Find(Request request, string name, byte[] key)
    {
        var table = _store.Require(name);
        request.See(_store.Unwritten(table, key));
        return table.Find(key);
    }

    /// <summary>The definition as it is now: parsing needs the schema, and happens outside of the lock.</summary>
    private TableDefinition Definition(string table)
    {
        lock (_store.Gate)
            return _store.Require(table).Definition;
    }

    /// <summary>A projection without other expressions beside it.</summary>
    private static Projection? ReadProjection(Request request)
    {
        var names = new ExpressionNames(request.Element("ExpressionAttributeNames"), null);
        var text = request.String("ProjectionExpression");
        var projection = text is null ? null : new Projection(ExpressionParser.ParseProjection(text, names));
        names.RequireAllUsed(text is not null, false, "");
        return projection;
    }

    /// <summary>A write costs the larger of the item before and after, in the table and in every index whose entry changes; an entry that moves is written twice.</summary>
    private static void MeterWrite(CapacityMeter meter, TableDefinition table, byte[] key, byte[]? old, byte[]? item)
    {
        if (!meter.IsOn)
            return;
        var (before, after) = (old is null ? Item.Empty : new Item(old), item is null ? Item.Empty : new Item(item));
        meter.AddWrite(table.Name, CapacityMeter.WriteUnits(Math.Max(before.BilledSize(), after.BilledSize())));
        foreach (var index in table.Indexes)
        {
            var was = old is null ? null : ItemKeys.OfIndex(table, index, before, key);
            var now = item is null ? null : ItemKeys.OfIndex(table, index, after, key);
            var (shownBefore, shownAfter) = (was is null ? Item.Empty : ItemRules.Project(table, index, before), now is null ? Item.Empty : ItemRules.Project(table, index, after));
            var units = 0.0;
            if (was is not null && now is not null && was.AsSpan().SequenceEqual(now))
                units = shownBefore.ValueEquals(shownAfter) ? 0 : CapacityMeter.WriteUnits(Math.Max(shownBefore.BilledSize(), shownAfter.BilledSize()));
            else
                units = (was is null ? 0 : CapacityMeter.WriteUnits(shownBefore.BilledSize())) + (now is null ? 0 : CapacityMeter.WriteUnits(shownAfter.BilledSize()));
            if (units > 0)
                meter.AddWrite(table.Name, units, index.Name, index.Kind == IndexKind.Local);
        }
    }
}
