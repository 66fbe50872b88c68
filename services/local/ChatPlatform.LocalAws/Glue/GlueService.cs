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
internal sealed class GlueService(GlueCatalog catalog, TimeProvider time) : IAwsJsonService
{
    public string TargetPrefix => "AWSGlue";

    public string Name => "glue";

    public string ContentType => "application/x-amz-json-1.1";

    public async ValueTask HandleAsync(string operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer, CancellationToken cancellationToken)
    {
        var input = Parse(body);
        await using var json = new Utf8JsonWriter(answer);
        json.WriteStartObject();
        switch (operation)
        {
            case "CreateDatabase":
                var database = Object(input, "DatabaseInput");
                catalog.CreateDatabase(Text(database, "Name"), database, time.GetUtcNow());
                break;
            case "GetDatabase":
                json.WritePropertyName("Database");
                WriteDatabase(json, Text(input, "Name"), catalog.GetDatabase(Text(input, "Name")));
                break;
            case "GetDatabases":
                json.WriteStartArray("DatabaseList");
                foreach (var (name, entry) in catalog.Databases())
                    WriteDatabase(json, name, entry);
                json.WriteEndArray();
                break;
            case "DeleteDatabase":
                catalog.DeleteDatabase(Text(input, "Name"));
                break;
            case "CreateTable":
                catalog.CreateTable(Text(input, "DatabaseName"), Text(Object(input, "TableInput"), "Name"), Object(input, "TableInput"), time.GetUtcNow());
                break;
            case "UpdateTable":
                catalog.UpdateTable(Text(input, "DatabaseName"), Text(Object(input, "TableInput"), "Name"), Object(input, "TableInput"), time.GetUtcNow());
                break;
            case "GetTable":
                json.WritePropertyName("Table");
                WriteTable(json, Text(input, "DatabaseName"), Text(input, "Name"), catalog.GetTable(Text(input, "DatabaseName"), Text(input, "Name")));
                break;
            case "GetTables":
                json.WriteStartArray("TableList");
                foreach (var (name, entry) in catalog.Tables(Text(input, "DatabaseName")))
                    WriteTable(json, Text(input, "DatabaseName"), name, entry);
                json.WriteEndArray();
                break;
            case "DeleteTable":
                catalog.DeleteTable(Text(input, "DatabaseName"), Text(input, "Name"));
                break;
            default:
                throw AwsException.UnknownOperation(operation);
        }

        json.WriteEndObject();
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
