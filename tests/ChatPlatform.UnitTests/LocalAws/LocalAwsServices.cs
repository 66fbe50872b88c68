using System.Buffers;
using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.Faults;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;
using ChatPlatform.LocalAwsModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>LocalAws's services as its set-up makes them, without a server and without background work; in memory when there is no folder. Thread-safe.</summary>
internal sealed class LocalAwsServices : IAsyncDisposable
{
    private readonly ServiceProvider _provider;
    private readonly Lazy<Dictionary<string, IAwsJsonService>> _jsonServices;

    /// <param name="settings">As in the configuration, e.g. <c>DynamoDb:ShardLifetime</c>.</param>
    public LocalAwsServices(string? folder, TimeProvider time, params (string Key, string Value)[] settings)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.ClearProviders());
        services.AddMetrics();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(s => s.Key, s => (string?)s.Value)).Build());
        services.AddSingleton(time);
        services.AddSingleton(_ => new DataFolder(folder));
        services.AddSingleton<Meters>();
        services.AddSingleton<RunningServices>();
        services.AddSingleton<FaultRules>();
        services.AddDynamoDb().AddStreams().AddObjectStore().AddFirehose();
        _provider = services.BuildServiceProvider();
        _jsonServices = new(() => Get<IEnumerable<IAwsJsonService>>().ToDictionary(s => s.TargetPrefix));
    }

    public DynamoStore Store => Get<DynamoStore>();

    public T Get<T>()
        where T : notnull => _provider.GetRequiredService<T>();

    /// <summary>Answers one request of a JSON service, named as in a fault rule.</summary>
    /// <exception cref="AwsException">The service's own error.</exception>
    public async Task<JsonElement> SendAsync(string service, string operation, string body)
    {
        var answer = new ArrayBufferWriter<byte>();
        await _jsonServices.Value.Values.Single(s => s.Name == service).HandleAsync(operation, Encoding.UTF8.GetBytes(body), answer, CancellationToken.None);
        return JsonDocument.Parse(answer.WrittenMemory).RootElement;
    }

    /// <summary>Answers a request as the server would, named by its <c>X-Amz-Target</c>, errors too. Anything but <see cref="AwsException"/> comes through: it is a defect.</summary>
    public async Task<ModelAnswer> AnswerAsync(string target, ReadOnlyMemory<byte> body)
    {
        var answer = new ArrayBufferWriter<byte>(1024);
        var dot = target.IndexOf('.', StringComparison.Ordinal);
        try
        {
            await _jsonServices.Value[target[..dot]].HandleAsync(target[(dot + 1)..], body, answer, CancellationToken.None);
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

    public ValueTask DisposeAsync() => _provider.DisposeAsync();
}
