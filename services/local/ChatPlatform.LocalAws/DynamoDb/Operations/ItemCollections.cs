using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>
/// <c>ReturnItemCollectionMetrics</c>: of each item collection that a request wrote to, a range of gigabytes that its size lies in; only tables with local indexes have
/// collections (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ItemCollectionMetrics.html). Not thread-safe.
/// </summary>
internal sealed class ItemCollections(Request request)
{
    private const long Gigabyte = 1024 * 1024 * 1024;
    /// <summary>Null when nobody asked.</summary>
    private readonly SortedDictionary<string, (TableDefinition Table, Dictionary<string, Item> Keys)>? _written =
        request.Choice("ReturnItemCollectionMetrics", "NONE", "SIZE", "NONE") == "SIZE" ? new(StringComparer.Ordinal) : null;

    /// <summary>Notes a write to the collection of an item; anything that has the partition key will do.</summary>
    public void Add(TableDefinition table, Item item)
    {
        if (_written is null || !table.Indexes.Any(i => i.Kind == IndexKind.Local))
            return;
        if (!_written.TryGetValue(table.Name, out var tables))
            _written[table.Name] = tables = (table, []);
        var key = ItemRules.KeyOf(new KeySchema(table.Keys.PartitionKey, null), item);
        tables.Keys[Convert.ToHexString(key.Encoded.Span)] = key;
    }

    /// <summary>Writes <c>ItemCollectionMetrics</c> as one structure.</summary>
    public void WriteOne(Utf8JsonWriter json, DynamoDbService service)
    {
        foreach (var (table, keys) in _written?.Values.ToArray() ?? [])
        {
            json.WritePropertyName("ItemCollectionMetrics");
            Write(json, service, table, keys.Values.Single());
        }
    }

    /// <summary>Writes <c>ItemCollectionMetrics</c> as a map from tables to lists.</summary>
    public void WriteMap(Utf8JsonWriter json, DynamoDbService service)
    {
        if (_written is not { Count: > 0 })
            return;
        json.WriteStartObject("ItemCollectionMetrics");
        foreach (var (table, keys) in _written.Values)
        {
            json.WriteStartArray(table.Name);
            foreach (var key in keys.Values)
                Write(json, service, table, key);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private void Write(Utf8JsonWriter json, DynamoDbService service, TableDefinition table, Item key)
    {
        // Everything under the partition key, in the table and in its local indexes.
        var size = 0L;
        foreach (var stored in service.ReadPartition(request, table, key))
        {
            var item = new Item(stored);
            size += item.BilledSize();
            foreach (var index in table.Indexes)
            {
                if (index.Kind == IndexKind.Local && index.Keys.Names.All(n => item.TryGet(Encoding.UTF8.GetBytes(n), out _)))
                    size += ItemRules.Project(table, index, item).BilledSize();
            }
        }

        json.WriteStartObject();
        json.WritePropertyName("ItemCollectionKey");
        AttributeJson.Write(json, key);
        json.WriteStartArray("SizeEstimateRangeGB");
        json.WriteNumberValue(size / Gigabyte);
        json.WriteNumberValue((size / Gigabyte) + 1);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
