using System.Buffers;
using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>LocalAws's services as its set-up makes them, without a server and without background work; in memory when there is no folder.</summary>
internal sealed class LocalAwsServices : IAsyncDisposable
{
    private readonly ServiceProvider _provider;

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
        services.AddDynamoDb().AddStreams().AddObjectStore().AddFirehose();
        _provider = services.BuildServiceProvider();
    }

    public DynamoStore Store => Get<DynamoStore>();

    public T Get<T>()
        where T : notnull => _provider.GetRequiredService<T>();

    /// <summary>Answers one request of a JSON service, named as in a fault rule.</summary>
    /// <exception cref="AwsException">The service's own error.</exception>
    public async Task<JsonElement> SendAsync(string service, string operation, string body)
    {
        var answer = new ArrayBufferWriter<byte>();
        await Get<IEnumerable<IAwsJsonService>>().Single(s => s.Name == service).HandleAsync(operation, Encoding.UTF8.GetBytes(body), answer, CancellationToken.None);
        return JsonDocument.Parse(answer.WrittenMemory).RootElement;
    }

    public ValueTask DisposeAsync() => _provider.DisposeAsync();
}
