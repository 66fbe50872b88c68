using System.Buffers;
using System.Diagnostics.Metrics;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.DynamoDb.Operations;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;
using ChatPlatform.LocalAwsModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>DynamoDB and its streams over a data folder (null: in memory), without a server: from a request's JSON to an answer's. Thread-safe.</summary>
internal sealed class InProcessDynamoDb : IAsyncDisposable
{
    private readonly DataFolder _data;
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public InProcessDynamoDb(string? folder, TimeProvider time, DynamoDbOptions options)
    {
        _data = new DataFolder(folder);
        Store = new DynamoStore(_data, Options.Create(options), time, new Meters(_services.GetRequiredService<IMeterFactory>()), NullLogger<DynamoStore>.Instance);
        Service = new DynamoDbService(Store);
        Streams = new StreamsService(Store);
    }

    public DynamoStore Store { get; }

    public DynamoDbService Service { get; }

    public StreamsService Streams { get; }

    /// <summary>Answers a request as the server would, errors as JSON too. Anything but <see cref="AwsException"/> comes through: it is a defect.</summary>
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

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        _data.Dispose();
        await _services.DisposeAsync();
    }
}
