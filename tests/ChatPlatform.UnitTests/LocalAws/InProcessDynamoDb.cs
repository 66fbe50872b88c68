using System.Buffers;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.DynamoDb.Operations;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.Streams;
using ChatPlatform.LocalAwsModel;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>DynamoDB and its streams as the model talks to them: from a request's bytes to an answer's JSON, errors too, without a server. Thread-safe.</summary>
internal sealed class InProcessDynamoDb(string? folder, TimeProvider time, params (string Key, string Value)[] settings) : IAsyncDisposable
{
    private readonly LocalAwsServices _services = new(folder, time, settings);
    private DynamoDbService? _dynamoDb;
    private StreamsService? _streams;

    public DynamoStore Store => _services.Store;

    public DynamoDbService Service => _dynamoDb ??= _services.Get<IEnumerable<IAwsJsonService>>().OfType<DynamoDbService>().Single();

    private StreamsService Streams => _streams ??= _services.Get<IEnumerable<IAwsJsonService>>().OfType<StreamsService>().Single();

    /// <summary>Answers a request as the server would. Anything but <see cref="AwsException"/> comes through: it is a defect.</summary>
    public async Task<ModelAnswer> SendAsync(string target, ReadOnlyMemory<byte> body)
    {
        var answer = new ArrayBufferWriter<byte>(1024);
        var dot = target.IndexOf('.', StringComparison.Ordinal);
        IAwsJsonService service = target[..dot] == Service.TargetPrefix ? Service : Streams;
        try
        {
            await service.HandleAsync(target[(dot + 1)..], body, answer, CancellationToken.None);
            return new ModelAnswer(null, JsonDocument.Parse(answer.WrittenMemory));
        }
        catch (AwsException error)
        {
            answer.ResetWrittenCount();
            using (var json = new Utf8JsonWriter(answer))
            {
                json.WriteStartObject();
                json.WriteString("message", error.Message);
                error.WriteMembers(json);
                json.WriteEndObject();
            }

            return new ModelAnswer(error.Type, JsonDocument.Parse(answer.WrittenMemory));
        }
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
