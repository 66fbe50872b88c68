using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>What DynamoDB demands of items and keys before it stores or looks for them. Every error is a ValidationException worded as DynamoDB's.</summary>
internal static class ItemRules
{
    /// <summary>https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items</summary>
    public const int MaxItemSize = 400 * 1024;

    /// <summary>The stored key of an item to put; its keys, index keys and size are right.</summary>
    public static byte[] RequireValid(TableDefinition table, Item item, bool update = false)
    {
        foreach (var name in table.Keys.Names)
        {
            if (!item.TryGet(Encoding.UTF8.GetBytes(name), out var value))
                throw DynamoDbErrors.InvalidValue($"Missing the key {name} in the item");
            if (value.Type != table.AttributeTypes[name])
                throw DynamoDbErrors.InvalidValue($"Type mismatch for key {name} expected: {table.AttributeTypes[name]} actual: {value.Type}");
            RequireKeyLength(table.Keys, name, value);
        }

        RequireIndexKeys(table, item, update);
        if (item.BilledSize() > MaxItemSize)
            throw DynamoDbErrors.Validation(update ? "Item size to update has exceeded the maximum allowed size" : "Item size has exceeded the maximum allowed size");
        return ItemKeys.OfTable(table.Keys, item);
    }

    /// <summary>Reads <c>Key</c>: exactly the key attributes, of their types.</summary>
    public static (Item Item, byte[] Key) ReadKey(TableDefinition table, JsonElement json)
    {
        var key = AttributeJson.ReadItem(json, "Key");
        return (key, RequireKey(table, key));
    }

    public static byte[] RequireKey(TableDefinition table, Item key)
    {
        if (key.Count() != table.Keys.Names.Count())
            throw DynamoDbErrors.Validation("The provided key element does not match the schema");
        foreach (var name in table.Keys.Names)
        {
            if (!key.TryGet(Encoding.UTF8.GetBytes(name), out var value) || value.Type != table.AttributeTypes[name])
                throw DynamoDbErrors.Validation("The provided key element does not match the schema");
            RequireKeyLength(table.Keys, name, value);
        }

        return ItemKeys.OfTable(table.Keys, key);
    }

    /// <summary>The key attributes of an item, in the schema's order.</summary>
    public static Item KeyOf(KeySchema keys, Item item)
    {
        var writer = new ValueWriter(64);
        WriteAttributes(writer, keys.Names, item);
        return writer.ToItem();
    }

    /// <summary>What an index shows of an item.</summary>
    public static Item Project(TableDefinition table, IndexDefinition index, Item item)
    {
        if (index.ProjectionType == "ALL")
            return item;
        var writer = new ValueWriter();
        foreach (var (name, value) in item)
        {
            if (index.Projects(Encoding.UTF8.GetString(name.Span), table.Keys))
                writer.WriteMember(name.Span, value);
        }

        return writer.ToItem();
    }

    public static void WriteAttributes(ValueWriter writer, IEnumerable<string> names, Item item)
    {
        foreach (var name in names)
        {
            var utf8 = Encoding.UTF8.GetBytes(name);
            if (item.TryGet(utf8, out var value))
                writer.WriteMember(utf8, value);
        }
    }

    private static void RequireIndexKeys(TableDefinition table, Item item, bool update)
    {
        foreach (var index in table.Indexes)
        {
            foreach (var name in index.Keys.Names)
            {
                if (!item.TryGet(Encoding.UTF8.GetBytes(name), out var value))
                    continue;
                if (value.Type != table.AttributeTypes[name] && update)
                    throw DynamoDbErrors.Validation("The update expression attempted to update the secondary index key to unsupported type");
                if (value.Type != table.AttributeTypes[name])
                    throw DynamoDbErrors.InvalidValue($"Type mismatch for Index Key {name} Expected: {table.AttributeTypes[name]} Actual: {value.Type} IndexName: {index.Name}");
                if (value.Type != AttributeType.N && value.PayloadSpan.IsEmpty)
                {
                    throw DynamoDbErrors.Validation("One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
                        + $"The AttributeValue for a key attribute cannot contain an empty {(value.Type == AttributeType.B ? "binary" : "string")} value. IndexName: {index.Name}, IndexKey: {name}");
                }

                var (isPartition, limit) = name == index.Keys.PartitionKey ? (true, ItemKeys.MaxPartitionKeyLength) : (false, ItemKeys.MaxSortKeyLength);
                if (value.PayloadSpan.Length > limit)
                    throw DynamoDbErrors.InvalidValue($"Size of {(isPartition ? "hashkey" : "rangekey")} has exceeded the maximum size limit of{limit} bytes");
            }
        }
    }

    private static void RequireKeyLength(KeySchema keys, string name, AttributeValue value)
    {
        if (value.Type != AttributeType.N && value.PayloadSpan.IsEmpty)
            throw DynamoDbErrors.EmptyKey(value.Type, $"Key: {name}");
        if (name == keys.PartitionKey && value.PayloadSpan.Length > ItemKeys.MaxPartitionKeyLength)
            throw DynamoDbErrors.InvalidValue($"Size of hashkey has exceeded the maximum size limit of{ItemKeys.MaxPartitionKeyLength} bytes");
        if (name == keys.SortKey && value.PayloadSpan.Length > ItemKeys.MaxSortKeyLength)
            throw DynamoDbErrors.InvalidValue($"Aggregated size of all range keys has exceeded the size limit of {ItemKeys.MaxSortKeyLength} bytes");
    }
}
