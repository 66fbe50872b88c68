using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.Streams;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>Tables. What AWS does in the background (creating, backfilling an index) is done before the answer, so a table is ACTIVE at once.</summary>
internal sealed partial class DynamoDbService
{
    private static readonly string[] ViewTypes = ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"];

    private void CreateTable(Request request, Utf8JsonWriter json)
    {
        var name = request.OwnTableName();
        var types = ReadAttributeTypes(request);
        if (request.Element("AttributeDefinitions") is null)
            throw request.Missing("AttributeDefinitions");
        var keys = ReadKeys(request, types);
        var billing = request.Choice("BillingMode", "PROVISIONED", "PROVISIONED", "PAY_PER_REQUEST");
        var throughput = ReadThroughput(request, billing, "");
        foreach (var member in (ReadOnlySpan<string>)["LocalSecondaryIndexes", "GlobalSecondaryIndexes"])
        {
            if (request.Element(member) is not null && request.List(member).Count == 0)
                throw DynamoDbErrors.InvalidValue($"List of {member} is empty");
        }

        var indexes = request.Structures("LocalSecondaryIndexes").ConvertAll(i => ReadIndex(i, IndexKind.Local, types, billing, keys));
        indexes.AddRange(request.Structures("GlobalSecondaryIndexes").Select(i => ReadIndex(i, IndexKind.Global, types, billing, keys)));
        RequireDistinctIndexes(indexes);
        RequireAllTypesUsed(types, keys, indexes);
        var viewType = ReadStream(request);

        lock (_store.Gate)
        {
            if (_store.Find(name) is not null)
                throw DynamoDbErrors.ResourceInUse($"Table already exists: {name}");
            var definition = new TableDefinition
            {
                Number = _store.NextTableNumber(),
                Name = name,
                Id = Guid.NewGuid().ToString(),
                CreatedAt = _store.Now,
                AttributeTypes = types,
                Keys = keys,
                Indexes = indexes,
                BillingMode = billing,
                Throughput = throughput,
                DeletionProtection = request.Bool("DeletionProtectionEnabled") == true,
                TableClass = request.Element("TableClass") is null ? null : request.Choice("TableClass", "STANDARD", "STANDARD", "STANDARD_INFREQUENT_ACCESS"),
                Tags = ReadTags(request),
            };
            if (viewType is { Length: > 0 })
            {
                var stream = _store.NewStream(definition, viewType);
                _store.Define(definition with { StreamNumber = stream.Number, LatestStreamLabel = stream.Label }, stream);
            }
            else
            {
                _store.Define(definition);
            }

            json.WritePropertyName("TableDescription");
            WriteTable(json, _store.Require(name), "ACTIVE");
        }
    }

    private void DescribeTable(Request request, Utf8JsonWriter json)
    {
        var name = request.OwnTableName();
        lock (_store.Gate)
        {
            json.WritePropertyName("Table");
            WriteTable(json, _store.Find(name) ?? throw DynamoDbErrors.TableNotFound(name), "ACTIVE");
        }
    }

    private void UpdateTable(Request request, Utf8JsonWriter json)
    {
        var name = request.OwnTableName();
        if (request.Root.EnumerateObject().All(m => m.Name is "TableName" or "AttributeDefinitions"))
        {
            throw DynamoDbErrors.Validation("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification "
                + "or ReplicaUpdates is required");
        }

        lock (_store.Gate)
        {
            var table = _store.Find(name) ?? throw DynamoDbErrors.TableNotFound(name);
            var definition = table.Definition;
            if (request.Element("BillingMode") is not null || request.Element("ProvisionedThroughput") is not null)
            {
                var billing = request.Choice("BillingMode", definition.BillingMode, "PROVISIONED", "PAY_PER_REQUEST");
                var throughput = ReadThroughput(request, billing, "");
                if (billing == "PROVISIONED" && definition.BillingMode == billing && definition.Throughput == throughput)
                    throw Unchanged(throughput);
                definition = definition with { BillingMode = billing, Throughput = throughput };
            }

            if (request.Bool("DeletionProtectionEnabled") is { } protect)
                definition = definition with { DeletionProtection = protect };
            if (request.Element("TableClass") is not null)
                definition = definition with { TableClass = request.Choice("TableClass", "STANDARD", "STANDARD", "STANDARD_INFREQUENT_ACCESS") };
            definition = UpdateIndexes(request, definition);

            switch (ReadStream(request))
            {
                case { Length: > 0 } when table.Stream is not null:
                    throw DynamoDbErrors.Validation("Table already has an enabled stream: TableName: " + name);
                case { Length: > 0 } viewType:
                    var stream = _store.NewStream(definition, viewType);
                    _store.Define(definition with { StreamNumber = stream.Number, LatestStreamLabel = stream.Label }, stream);
                    break;
                case "" when table.Stream is null:
                    throw DynamoDbErrors.Validation("Table has no stream to disable: TableName: " + name);
                case "":
                    _store.Define(definition with { StreamNumber = null }, _store.Closed(table.Stream!.Definition));
                    break;
                default:
                    _store.Define(definition);
                    break;
            }

            json.WritePropertyName("TableDescription");
            WriteTable(json, table, "ACTIVE");
        }
    }

    private void DeleteTable(Request request, Utf8JsonWriter json)
    {
        var name = request.OwnTableName();
        lock (_store.Gate)
        {
            var table = _store.Find(name) ?? throw DynamoDbErrors.TableNotFound(name);
            if (table.Definition.DeletionProtection)
                throw DynamoDbErrors.Validation("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.");
            _store.Drop(table);
            json.WritePropertyName("TableDescription");
            WriteTable(json, table, "DELETING");
        }
    }

    private void ListTables(Request request, Utf8JsonWriter json)
    {
        var limit = (int)(request.Int("Limit", 1, 100) ?? 100);
        var start = request.String("ExclusiveStartTableName");
        List<string> names;
        lock (_store.Gate)
            names = [.. _store.Tables.Select(t => t.Definition.Name).Where(n => start is null || string.CompareOrdinal(n, start) > 0).Order(StringComparer.Ordinal)];
        json.WriteStartArray("TableNames");
        foreach (var name in names.Take(limit))
            json.WriteStringValue(name);
        json.WriteEndArray();
        if (names.Count > limit)
            json.WriteString("LastEvaluatedTableName", names[limit - 1]);
    }

    private void UpdateTimeToLive(Request request, Utf8JsonWriter json)
    {
        var name = request.OwnTableName();
        var specification = request.Structure("TimeToLiveSpecification")?.Allow("AttributeName", "Enabled") ?? throw request.Missing("TimeToLiveSpecification");
        var attribute = specification.RequiredString("AttributeName");
        var enabled = specification.Bool("Enabled") ?? throw specification.Missing("Enabled");
        if (attribute.Length is < 1 or > 255)
            throw specification.Constraint("AttributeName", attribute, $"Member must have length {(attribute.Length < 1 ? "greater than or equal to 1" : "less than or equal to 255")}");
        lock (_store.Gate)
        {
            var table = _store.Find(name) ?? throw DynamoDbErrors.TableNotFound(name);
            var current = table.Definition.TimeToLiveAttribute;
            if (enabled && current is not null)
                throw DynamoDbErrors.Validation("TimeToLive is already enabled");
            if (!enabled && current is null)
                throw DynamoDbErrors.Validation("TimeToLive is already disabled");
            if (!enabled && current != attribute)
                throw DynamoDbErrors.Validation($"TimeToLive is active on a different AttributeName: current AttributeName is {current}");
            _store.Define(table.Definition with { TimeToLiveAttribute = enabled ? attribute : null });
        }

        json.WriteStartObject("TimeToLiveSpecification");
        json.WriteString("AttributeName", attribute);
        json.WriteBoolean("Enabled", enabled);
        json.WriteEndObject();
    }

    private void DescribeTimeToLive(Request request, Utf8JsonWriter json)
    {
        var name = request.OwnTableName();
        string? attribute;
        lock (_store.Gate)
            attribute = (_store.Find(name) ?? throw DynamoDbErrors.TableNotFound(name)).Definition.TimeToLiveAttribute;
        json.WriteStartObject("TimeToLiveDescription");
        json.WriteString("TimeToLiveStatus", attribute is null ? "DISABLED" : "ENABLED");
        if (attribute is not null)
            json.WriteString("AttributeName", attribute);
        json.WriteEndObject();
    }

    private void TagResource(Request request, Utf8JsonWriter json)
    {
        var name = request.TableName("ResourceArn");
        var added = ReadTags(request);
        if (request.Element("Tags") is null)
            throw request.Missing("Tags");
        if (added.Count == 0)
            throw DynamoDbErrors.Validation("Atleast one Tag needs to be provided as Input.");
        lock (_store.Gate)
        {
            var definition = (_store.Find(name) ?? throw DynamoDbErrors.TableNotFound(name)).Definition;
            var tags = new Dictionary<string, string>(definition.Tags);
            foreach (var (key, value) in added)
                tags[key] = value;
            _store.Define(definition with { Tags = tags });
        }
    }

    private void UntagResource(Request request, Utf8JsonWriter json)
    {
        var name = request.TableName("ResourceArn");
        var gone = request.Strings("TagKeys");
        if (request.Element("TagKeys") is null)
            throw request.Missing("TagKeys");
        if (gone.Count == 0)
            throw DynamoDbErrors.Validation("Atleast one Tag Key needs to be provided as Input.");
        lock (_store.Gate)
        {
            var definition = (_store.Find(name) ?? throw DynamoDbErrors.TableNotFound(name)).Definition;
            _store.Define(definition with { Tags = definition.Tags.Where(t => !gone.Contains(t.Key)).ToDictionary() });
        }
    }

    private void ListTagsOfResource(Request request, Utf8JsonWriter json)
    {
        var name = request.TableName("ResourceArn");
        Dictionary<string, string> tags;
        lock (_store.Gate)
            tags = (_store.Find(name) ?? throw DynamoDbErrors.TableNotFound(name)).Definition.Tags;
        json.WriteStartArray("Tags");
        foreach (var (key, value) in tags)
        {
            json.WriteStartObject();
            json.WriteString("Key", key);
            json.WriteString("Value", value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static Dictionary<string, string> ReadTags(Request request) =>
        request.Structures("Tags").ToDictionary(t => t.Allow("Key", "Value").RequiredString("Key"), t => t.RequiredString("Value"));

    private static Dictionary<string, AttributeType> ReadAttributeTypes(Request request)
    {
        var types = new Dictionary<string, AttributeType>(StringComparer.Ordinal);
        foreach (var attribute in request.Structures("AttributeDefinitions"))
        {
            var name = attribute.Allow("AttributeName", "AttributeType").RequiredString("AttributeName");
            attribute.RequiredString("AttributeType");
            if (!types.TryAdd(name, Enum.Parse<AttributeType>(attribute.Choice("AttributeType", "", "B", "N", "S"))))
                throw DynamoDbErrors.InvalidValue($"Duplicate AttributeName found in AttributeDefinitions: {name}");
        }

        return types;
    }

    private static KeySchema ReadKeys(Request request, Dictionary<string, AttributeType> types)
    {
        var elements = request.Structures("KeySchema");
        if (request.Element("KeySchema") is null)
            throw request.Missing("KeySchema");
        if (elements.Count == 0)
            throw request.Constraint("KeySchema", "[]", "Member must have length greater than or equal to 1");
        if (elements.Count > 2)
            throw request.Constraint("KeySchema", $"[{elements.Count} elements]", "Member must have length less than or equal to 2");
        var names = elements.ConvertAll(e => e.Allow("AttributeName", "KeyType").RequiredString("AttributeName"));
        var kinds = elements.ConvertAll(e => e.Choice("KeyType", "", "HASH", "RANGE"));
        if (kinds[0] != "HASH")
            throw DynamoDbErrors.Validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
        if (kinds.Count == 2 && kinds[1] != "RANGE")
            throw DynamoDbErrors.Validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
        if (names.Distinct().Count() < names.Count)
            throw DynamoDbErrors.Validation("Both the Hash Key and the Range Key element in the KeySchema have the same name");
        foreach (var name in names.Where(n => !types.ContainsKey(n)))
        {
            throw DynamoDbErrors.InvalidValue("Some index key attributes are not defined in AttributeDefinitions. "
                + $"Keys: [{string.Join(", ", names)}], AttributeDefinitions: [{string.Join(", ", types.Keys)}]");
        }

        return new KeySchema(names[0], names.Count == 2 ? names[1] : null);
    }

    private static Throughput ReadThroughput(Request request, string billing, string of)
    {
        var throughput = request.Structure("ProvisionedThroughput")?.Allow("ReadCapacityUnits", "WriteCapacityUnits");
        if (billing == "PAY_PER_REQUEST")
        {
            if (throughput is not null)
                throw DynamoDbErrors.InvalidValue("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
            return new Throughput(0, 0);
        }

        if (throughput is null)
            throw DynamoDbErrors.InvalidValue($"ReadCapacityUnits and WriteCapacityUnits must both be specified {of}when BillingMode is PROVISIONED");
        return new Throughput(
            throughput.Int("ReadCapacityUnits", 1) ?? throw throughput.Missing("ReadCapacityUnits"),
            throughput.Int("WriteCapacityUnits", 1) ?? throw throughput.Missing("WriteCapacityUnits"));
    }

    private static AwsException Unchanged(Throughput throughput) => DynamoDbErrors.Validation("The provisioned throughput for the table will not change. "
        + "The requested value equals the current value. "
        + $"Current ReadCapacityUnits provisioned for the table: {throughput.ReadCapacityUnits}. Requested ReadCapacityUnits: {throughput.ReadCapacityUnits}. "
        + $"Current WriteCapacityUnits provisioned for the table: {throughput.WriteCapacityUnits}. Requested WriteCapacityUnits: {throughput.WriteCapacityUnits}. "
        + "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.");

    private static IndexDefinition ReadIndex(Request request, IndexKind kind, Dictionary<string, AttributeType> types, string billing, KeySchema tableKeys)
    {
        request = kind == IndexKind.Local
            ? request.Allow("IndexName", "KeySchema", "Projection")
            : request.Allow("IndexName", "KeySchema", "Projection", "ProvisionedThroughput");
        var name = request.RequiredString("IndexName");
        request.RequireName("IndexName", name);
        var keys = ReadKeys(request, types);
        if (kind == IndexKind.Local)
        {
            if (tableKeys.SortKey is null)
                throw DynamoDbErrors.InvalidValue("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex");
            if (keys.PartitionKey != tableKeys.PartitionKey)
                throw DynamoDbErrors.InvalidValue($"Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. index hash key: {keys.PartitionKey}, table hash key: {tableKeys.PartitionKey}");
            if (keys.SortKey is null)
                throw DynamoDbErrors.InvalidValue($"Index KeySchema does not have a range key for index: {name}");
        }

        var projection = request.Structure("Projection")?.Allow("ProjectionType", "NonKeyAttributes") ?? throw request.Missing("Projection");
        if (projection.Element("ProjectionType") is null)
            throw DynamoDbErrors.InvalidValue("Unknown ProjectionType: null");
        var type = projection.Choice("ProjectionType", "", "ALL", "INCLUDE", "KEYS_ONLY");
        var attributes = projection.Strings("NonKeyAttributes");
        if (type == "INCLUDE" && attributes.Count == 0)
            throw DynamoDbErrors.InvalidValue("ProjectionType is INCLUDE, but NonKeyAttributes is not specified");
        if (type != "INCLUDE" && attributes.Count > 0)
            throw DynamoDbErrors.InvalidValue($"ProjectionType is {type}, but NonKeyAttributes is specified");
        if (attributes.Count > 20)
            throw projection.Constraint("NonKeyAttributes", $"[{attributes.Count} attributes]", "Member must have length less than or equal to 20");
        var throughput = kind == IndexKind.Local ? new Throughput(0, 0) : ReadThroughput(request, billing, $"for index: {name} ");
        return new IndexDefinition(name, kind, keys, type, attributes, throughput);
    }

    private static void RequireDistinctIndexes(List<IndexDefinition> indexes)
    {
        if (indexes.GroupBy(i => i.Name).FirstOrDefault(g => g.Count() > 1) is { } doubled)
            throw DynamoDbErrors.InvalidValue($"Duplicate index name: {doubled.Key}");
        if (indexes.Count(i => i.Kind == IndexKind.Local) > 5)
            throw DynamoDbErrors.InvalidValue("Number of LocalSecondaryIndexes exceeds per-table limit of 5");
        if (indexes.Count(i => i.Kind == IndexKind.Global) > 20)
            throw DynamoDbErrors.InvalidValue("GlobalSecondaryIndex count exceeds the per-table limit of 20");
    }

    private static void RequireAllTypesUsed(Dictionary<string, AttributeType> types, KeySchema keys, List<IndexDefinition> indexes)
    {
        var used = keys.Names.Concat(indexes.SelectMany(i => i.Keys.Names)).ToHashSet();
        if (used.Count != types.Count && indexes.Count == 0)
            throw DynamoDbErrors.InvalidValue("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions");
        if (used.Count != types.Count)
        {
            throw DynamoDbErrors.InvalidValue("Some AttributeDefinitions are not used. "
                + $"AttributeDefinitions: [{string.Join(", ", types.Keys)}], keys used: [{string.Join(", ", used)}]");
        }
    }

    /// <summary>The view type; empty to switch the stream off; null when nothing is said.</summary>
    private static string? ReadStream(Request request)
    {
        if (request.Structure("StreamSpecification")?.Allow("StreamEnabled", "StreamViewType") is not { } stream)
            return null;
        var enabled = stream.Bool("StreamEnabled") ?? throw stream.Missing("StreamEnabled");
        if (!enabled && stream.Element("StreamViewType") is not null)
            throw DynamoDbErrors.InvalidValue("StreamViewType may not be specified when StreamEnabled is false");
        if (enabled && stream.Element("StreamViewType") is null)
            throw DynamoDbErrors.InvalidValue("StreamViewType must be specified when StreamEnabled is true");
        return enabled ? stream.Choice("StreamViewType", "", ViewTypes) : "";
    }

    private static TableDefinition UpdateIndexes(Request request, TableDefinition definition)
    {
        var types = new Dictionary<string, AttributeType>(definition.AttributeTypes);
        foreach (var (name, type) in ReadAttributeTypes(request))
        {
            if (types.TryGetValue(name, out var known) && known != type)
                throw DynamoDbErrors.InvalidValue($"Attribute {name} has another type already: {known}");
            types[name] = type;
        }

        var indexes = definition.Indexes.ToList();
        foreach (var update in request.Structures("GlobalSecondaryIndexUpdates"))
        {
            update.Allow("Create", "Update", "Delete");
            if (update.Structure("Create") is { } create)
            {
                var added = ReadIndex(create, IndexKind.Global, types, definition.BillingMode, definition.Keys);
                if (indexes.Exists(i => i.Name == added.Name))
                    throw DynamoDbErrors.Validation("Attempting to create an index which already exists");
                indexes.Add(added);
            }
            else if (update.Structure("Delete")?.Allow("IndexName") is { } delete)
            {
                if (indexes.RemoveAll(i => i.Kind == IndexKind.Global && i.Name == delete.RequiredString("IndexName")) == 0)
                    throw DynamoDbErrors.ResourceNotFound();
            }
            else if (update.Structure("Update")?.Allow("IndexName", "ProvisionedThroughput") is { } change)
            {
                var at = indexes.FindIndex(i => i.Kind == IndexKind.Global && i.Name == change.RequiredString("IndexName"));
                if (at < 0)
                    throw DynamoDbErrors.ResourceNotFound();
                indexes[at] = indexes[at] with { Throughput = ReadThroughput(change, definition.BillingMode, $"for index: {indexes[at].Name} ") };
            }
        }

        RequireDistinctIndexes(indexes);
        // A type that no key uses any more goes with its index.
        var used = definition.Keys.Names.Concat(indexes.SelectMany(i => i.Keys.Names)).ToHashSet();
        return definition with { Indexes = indexes, AttributeTypes = types.Where(t => used.Contains(t.Key)).ToDictionary() };
    }

    private void WriteTable(Utf8JsonWriter json, Table table, string status)
    {
        var definition = table.Definition;
        json.WriteStartObject();
        json.WriteString("TableName", definition.Name);
        json.WriteString("TableArn", _store.TableArn(definition.Name));
        json.WriteString("TableId", definition.Id);
        json.WriteString("TableStatus", status);
        json.WriteNumber("CreationDateTime", definition.CreatedAt.ToUnixTimeMilliseconds() / 1000.0);
        json.WriteNumber("ItemCount", table.Items.Count);
        json.WriteNumber("TableSizeBytes", table.SizeBytes);
        json.WriteBoolean("DeletionProtectionEnabled", definition.DeletionProtection);
        json.WriteStartArray("AttributeDefinitions");
        foreach (var (name, type) in definition.AttributeTypes)
        {
            json.WriteStartObject();
            json.WriteString("AttributeName", name);
            json.WriteString("AttributeType", type.ToString());
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteKeys(json, definition.Keys);
        WriteThroughput(json, definition.Throughput);
        if (definition.BillingMode == "PAY_PER_REQUEST")
        {
            json.WriteStartObject("BillingModeSummary");
            json.WriteString("BillingMode", definition.BillingMode);
            json.WriteEndObject();
        }

        if (definition.TableClass is not null)
        {
            json.WriteStartObject("TableClassSummary");
            json.WriteString("TableClass", definition.TableClass);
            json.WriteEndObject();
        }

        WriteIndexes(json, table, IndexKind.Local, "LocalSecondaryIndexes");
        WriteIndexes(json, table, IndexKind.Global, "GlobalSecondaryIndexes");
        if (table.Stream is { } stream)
        {
            json.WriteStartObject("StreamSpecification");
            json.WriteBoolean("StreamEnabled", true);
            json.WriteString("StreamViewType", stream.Definition.ViewType);
            json.WriteEndObject();
        }

        if (definition.LatestStreamLabel is { } label)
        {
            json.WriteString("LatestStreamLabel", label);
            json.WriteString("LatestStreamArn", $"{_store.TableArn(definition.Name)}/stream/{label}");
        }

        json.WriteEndObject();
    }

    internal static void WriteKeys(Utf8JsonWriter json, KeySchema keys)
    {
        json.WriteStartArray("KeySchema");
        foreach (var name in keys.Names)
        {
            json.WriteStartObject();
            json.WriteString("AttributeName", name);
            json.WriteString("KeyType", name == keys.PartitionKey ? "HASH" : "RANGE");
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteThroughput(Utf8JsonWriter json, Throughput throughput)
    {
        json.WriteStartObject("ProvisionedThroughput");
        json.WriteNumber("NumberOfDecreasesToday", 0);
        json.WriteNumber("ReadCapacityUnits", throughput.ReadCapacityUnits);
        json.WriteNumber("WriteCapacityUnits", throughput.WriteCapacityUnits);
        json.WriteEndObject();
    }

    private void WriteIndexes(Utf8JsonWriter json, Table table, IndexKind kind, string member)
    {
        var indexes = table.Indexes.Values.Where(i => i.Definition.Kind == kind).ToList();
        if (indexes.Count == 0)
            return;
        json.WriteStartArray(member);
        foreach (var index in indexes)
        {
            json.WriteStartObject();
            json.WriteString("IndexName", index.Definition.Name);
            json.WriteString("IndexArn", $"{_store.TableArn(table.Definition.Name)}/index/{index.Definition.Name}");
            WriteKeys(json, index.Definition.Keys);
            json.WriteStartObject("Projection");
            json.WriteString("ProjectionType", index.Definition.ProjectionType);
            if (index.Definition.NonKeyAttributes.Count > 0)
            {
                json.WriteStartArray("NonKeyAttributes");
                foreach (var name in index.Definition.NonKeyAttributes)
                    json.WriteStringValue(name);
                json.WriteEndArray();
            }

            json.WriteEndObject();
            json.WriteNumber("ItemCount", index.Entries.Count);
            json.WriteNumber("IndexSizeBytes", index.SizeBytes);
            if (kind == IndexKind.Global)
            {
                json.WriteString("IndexStatus", "ACTIVE");
                WriteThroughput(json, index.Definition.Throughput);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
