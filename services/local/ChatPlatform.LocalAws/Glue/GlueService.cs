using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Glue;

/// <summary>
/// As much of Glue's Data Catalog (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog.html) as gives a delivery stream its schema: databases and tables, without partitions,
/// versions and permissions. Thread-safe.
/// </summary>
internal sealed class GlueService : IAwsJsonService
{
    private readonly OperationTable<Action<JsonObject, Utf8JsonWriter>> _operations;
    private readonly GlueCatalog _catalog;
    private readonly TimeProvider _time;

    public GlueService(GlueCatalog catalog, TimeProvider time)
    {
        (_catalog, _time) = (catalog, time);
        _operations = new(
            new("CreateDatabase", CreateDatabase, "CatalogId", "DatabaseInput"),
            new("GetDatabase", GetDatabase, "CatalogId", "Name"),
            new("GetDatabases", GetDatabases, "CatalogId"),
            new("DeleteDatabase", (input, _) => _catalog.DeleteDatabase(Text(input, "Name")), "CatalogId", "Name"),
            new("CreateTable", CreateTable, "CatalogId", "DatabaseName", "TableInput"),
            new("UpdateTable", UpdateTable, "CatalogId", "DatabaseName", "TableInput"),
            new("GetTable", GetTable, "CatalogId", "DatabaseName", "Name"),
            new("GetTables", GetTables, "CatalogId", "DatabaseName"),
            new("DeleteTable", (input, _) => _catalog.DeleteTable(Text(input, "DatabaseName"), Text(input, "Name")), "CatalogId", "DatabaseName", "Name"));
    }

    public string TargetPrefix => "AWSGlue";

    public string Name => "glue";

    public string Title => "Glue Data Catalog";

    public string ResourceKind => "database";

    public IReadOnlyList<OperationDescription> Operations => _operations.Descriptions;

    public string ContentType => "application/x-amz-json-1.1";

    /// <summary>https://docs.aws.amazon.com/glue/latest/webapi/CommonErrors.html.</summary>
    public AwsException Throttling(string operation) => new("ThrottlingException", "Rate exceeded");

    public AwsException InternalError() => new("InternalServiceException", "An internal service error occurred.", 500);

    public ValueTask HandleAsync(string operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer, CancellationToken cancellationToken)
    {
        var known = _operations.Get(TargetPrefix, operation);
        var input = Parse(body);
        if (input.FirstOrDefault(m => m.Value is not null && !known.Parameters.Contains(m.Key)).Key is { } unknown)
            throw Invalid($"{unknown} is not supported by this emulator.");
        using var json = new Utf8JsonWriter(answer);
        json.WriteStartObject();
        known.Handler(input, json);
        json.WriteEndObject();
        return ValueTask.CompletedTask;
    }

    private void CreateDatabase(JsonObject input, Utf8JsonWriter json)
    {
        var database = Object(input, "DatabaseInput");
        _catalog.CreateDatabase(Text(database, "Name"), database, _time.GetUtcNow());
    }

    private void GetDatabase(JsonObject input, Utf8JsonWriter json)
    {
        json.WritePropertyName("Database");
        WriteDatabase(json, Text(input, "Name"), _catalog.GetDatabase(Text(input, "Name")));
    }

    private void GetDatabases(JsonObject input, Utf8JsonWriter json)
    {
        json.WriteStartArray("DatabaseList");
        foreach (var (name, entry) in _catalog.Databases())
            WriteDatabase(json, name, entry);
        json.WriteEndArray();
    }

    private void CreateTable(JsonObject input, Utf8JsonWriter json) =>
        _catalog.CreateTable(Text(input, "DatabaseName"), Text(Object(input, "TableInput"), "Name"), Object(input, "TableInput"), _time.GetUtcNow());

    private void UpdateTable(JsonObject input, Utf8JsonWriter json) =>
        _catalog.UpdateTable(Text(input, "DatabaseName"), Text(Object(input, "TableInput"), "Name"), Object(input, "TableInput"), _time.GetUtcNow());

    private void GetTable(JsonObject input, Utf8JsonWriter json)
    {
        json.WritePropertyName("Table");
        WriteTable(json, Text(input, "DatabaseName"), Text(input, "Name"), _catalog.GetTable(Text(input, "DatabaseName"), Text(input, "Name")));
    }

    private void GetTables(JsonObject input, Utf8JsonWriter json)
    {
        json.WriteStartArray("TableList");
        foreach (var (name, entry) in _catalog.Tables(Text(input, "DatabaseName")))
            WriteTable(json, Text(input, "DatabaseName"), name, entry);
        json.WriteEndArray();
    }

    private static JsonObject Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonNode.Parse(body.Span) as JsonObject ?? throw AwsException.Serialization("The request must be a JSON object.");
        }
        catch (JsonException)
        {
            throw AwsException.Serialization("The request is not valid JSON.");
        }
    }

    private static JsonObject Object(JsonObject input, string name) => input[name] as JsonObject ?? throw Invalid($"{name} is required and must be an object.");

    private static string Text(JsonObject input, string name) =>
        input[name] is JsonValue value && value.TryGetValue<string>(out var text) && text.Length is > 0 and <= 255 ? text : throw Invalid($"{name} is required and must be a text of 1 to 255 characters.");

    private static AwsException Invalid(string message) => new("InvalidInputException", message);

    private static void WriteDatabase(Utf8JsonWriter json, string name, GlueCatalog.Entry entry)
    {
        json.WriteStartObject();
        WriteOwn(json, name, entry);
        json.WriteNumber("CreateTime", entry.Created.ToUnixTimeSeconds());
        json.WriteEndObject();
    }

    private static void WriteTable(Utf8JsonWriter json, string database, string name, GlueCatalog.Entry entry)
    {
        json.WriteStartObject();
        WriteOwn(json, name, entry);
        json.WriteString("DatabaseName", database.ToLowerInvariant());
        json.WriteNumber("CreateTime", entry.Created.ToUnixTimeSeconds());
        json.WriteNumber("UpdateTime", entry.Updated.ToUnixTimeSeconds());
        json.WriteString("VersionId", entry.Version.ToString(CultureInfo.InvariantCulture));
        json.WriteEndObject();
    }

    private static void WriteOwn(Utf8JsonWriter json, string name, GlueCatalog.Entry entry)
    {
        json.WriteString("Name", name.ToLowerInvariant());
        foreach (var (member, value) in entry.Definition.Where(m => m.Key != "Name" && m.Value is not null))
        {
            json.WritePropertyName(member);
            value!.WriteTo(json);
        }
    }
}
