using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>DynamoDB's API, version 2012-08-10 (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html). Thread-safe.</summary>
internal sealed partial class DynamoDbService : IAwsJsonService
{
    internal static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    private static readonly JsonDocumentOptions Parsing = new() { MaxDepth = 128 };

    private readonly DynamoStore _store;
    private readonly Dictionary<string, Action<Request, Utf8JsonWriter>> _operations;

    public DynamoDbService(DynamoStore store)
    {
        _store = store;
        _operations = new(StringComparer.Ordinal)
        {
            ["CreateTable"] = CreateTable,
            ["DescribeTable"] = DescribeTable,
            ["UpdateTable"] = UpdateTable,
            ["DeleteTable"] = DeleteTable,
            ["ListTables"] = ListTables,
            ["UpdateTimeToLive"] = UpdateTimeToLive,
            ["DescribeTimeToLive"] = DescribeTimeToLive,
            ["TagResource"] = TagResource,
            ["UntagResource"] = UntagResource,
            ["ListTagsOfResource"] = ListTagsOfResource,
            ["DescribeLimits"] = DescribeLimits,
            ["PutItem"] = PutItem,
            ["GetItem"] = GetItem,
            ["UpdateItem"] = UpdateItem,
            ["DeleteItem"] = DeleteItem,
            ["Query"] = Query,
            ["Scan"] = Scan,
            ["BatchGetItem"] = BatchGetItem,
            ["BatchWriteItem"] = BatchWriteItem,
            ["TransactWriteItems"] = TransactWriteItems,
            ["TransactGetItems"] = TransactGetItems,
        };
    }

    public string TargetPrefix => "DynamoDB_20120810";

    public string Name => "dynamodb";

    public string ContentType => "application/x-amz-json-1.0";

    /// <summary>The operations that are there, in the order of their names.</summary>
    public IEnumerable<string> Operations => _operations.Keys.Order(StringComparer.Ordinal);

    public async ValueTask HandleAsync(string operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer, CancellationToken cancellationToken)
    {
        if (!_operations.TryGetValue(operation, out var handler))
            throw AwsException.UnknownOperation($"{TargetPrefix}.{operation}");
        try
        {
            Run(handler, operation, body, answer);
        }
        catch (AwsException)
        {
            // A refusal tells about the state as well: it must not be ahead of the log.
            await _store.WhenDurableAsync();
            throw;
        }

        await _store.WhenDurableAsync();
    }

    /// <summary>Parses a body, which must be JSON whose strings and names are Unicode, so that nobody further on meets one that is not.</summary>
    /// <exception cref="AwsException">SerializationException.</exception>
    internal static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            RequireUnicode(body.Span);
            return JsonDocument.Parse(body.IsEmpty ? "{}"u8.ToArray() : body, Parsing);
        }
        catch (JsonException)
        {
            throw AwsException.Serialization("The request body is not valid JSON");
        }
        catch (InvalidOperationException)
        {
            throw AwsException.Serialization("A string of the request body is not valid Unicode");
        }
    }

    /// <summary>JsonDocument takes bytes that are no UTF-8, and escapes that are half a surrogate pair, and fails only when such a string is asked for.</summary>
    private static void RequireUnicode(ReadOnlySpan<byte> body)
    {
        if (!Utf8.IsValid(body))
            throw AwsException.Serialization("The request body is not valid UTF-8");
        if (body.IndexOf(@"\u"u8) < 0)
            return;
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = Parsing.MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                reader.GetString();
        }
    }

    private static void Run(Action<Request, Utf8JsonWriter> handler, string operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer)
    {
        using var document = Parse(body);
        using var json = new Utf8JsonWriter(answer, Json);
        var request = new Request(operation, document.RootElement);
        json.WriteStartObject();
        handler(request, json);
        json.WriteEndObject();
    }

    /// <summary>The account's quotas as a new account has them; nothing here is throttled.</summary>
    private static void DescribeLimits(Request request, Utf8JsonWriter json)
    {
        request.Allow();
        json.WriteNumber("AccountMaxReadCapacityUnits", 80_000);
        json.WriteNumber("AccountMaxWriteCapacityUnits", 80_000);
        json.WriteNumber("TableMaxReadCapacityUnits", 40_000);
        json.WriteNumber("TableMaxWriteCapacityUnits", 40_000);
    }
}
