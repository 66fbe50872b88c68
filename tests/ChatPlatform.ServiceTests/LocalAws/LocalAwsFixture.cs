using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>One LocalAws process for a class of tests, in memory unless a folder is given. Tests use tables of their own.</summary>
public sealed class LocalAwsFixture : IAsyncLifetime
{
    private RunningLocalAws? _running;

    public IAmazonDynamoDB DynamoDb => _running!.DynamoDb;

    public string Url => _running!.Url;

    public async Task InitializeAsync() => _running = await RunningLocalAws.StartAsync(null);

    public async Task DisposeAsync() => await _running!.DisposeAsync();
}

/// <summary>A LocalAws process with a client of the real SDK.</summary>
public sealed class RunningLocalAws : IAsyncDisposable
{
    private RunningLocalAws(ServiceProcess process, int port)
    {
        Process = process;
        Url = $"http://127.0.0.1:{port}";
        DynamoDb = NewClient();
    }

    public ServiceProcess Process { get; }

    public string Url { get; }

    public IAmazonDynamoDB DynamoDb { get; }

    /// <param name="survivesFileSizeLimit">Whether a write beyond a limit of <see cref="ServiceProcess.LimitFileSizeAsync"/> fails with an error, as on a full disk, instead of ending the process.</param>
    public static async Task<RunningLocalAws> StartAsync(string? dataPath, IReadOnlyDictionary<string, string?>? settings = null, bool survivesFileSizeLimit = false)
    {
        const string project = "services/local/ChatPlatform.LocalAws";
        var port = ServiceProcess.FreePort();
        var environment = new Dictionary<string, string?>(settings ?? new Dictionary<string, string?>())
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}",
            ["DataPath"] = dataPath,
            ["DynamoDb__TimeToLiveSweep"] = "00:00:00.200",
        };
        var process = survivesFileSizeLimit ? ServiceProcess.StartServiceUnderFileSizeLimit(project, environment) : ServiceProcess.StartService(project, environment);
        var running = new RunningLocalAws(process, port);
        await running.Process.WaitForHealthAsync($"{running.Url}/health");
        return running;
    }

    public IAmazonDynamoDB NewClient() => new AmazonDynamoDBClient(new BasicAWSCredentials("local", "local"),
        new AmazonDynamoDBConfig { ServiceURL = Url, AuthenticationRegion = "ap-northeast-2", MaxErrorRetry = 0, Timeout = TimeSpan.FromSeconds(20) });

    public async ValueTask DisposeAsync()
    {
        DynamoDb.Dispose();
        await Process.DisposeAsync();
    }
}

/// <summary>DynamoDB's JSON to the SDK's values and back, so that rows of a table of cases stay short.</summary>
internal static class DynamoJson
{
    public static Dictionary<string, AttributeValue> Item(string json)
    {
        using var document = System.Text.Json.JsonDocument.Parse(json);
        return document.RootElement.EnumerateObject().ToDictionary(m => m.Name, m => Value(m.Value));
    }

    public static string Text(Dictionary<string, AttributeValue> item) =>
        $"{{{string.Join(",", item.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"\"{m.Key}\":{Text(m.Value)}"))}}}";

    private static AttributeValue Value(System.Text.Json.JsonElement json)
    {
        var member = json.EnumerateObject().Single();
        var value = member.Value;
        return member.Name switch
        {
            "S" => new AttributeValue { S = value.GetString() },
            "N" => new AttributeValue { N = value.GetString() },
            "B" => new AttributeValue { B = new MemoryStream(value.GetBytesFromBase64()) },
            "BOOL" => new AttributeValue { BOOL = value.GetBoolean() },
            "NULL" => new AttributeValue { NULL = value.GetBoolean() },
            "SS" => new AttributeValue { SS = [.. value.EnumerateArray().Select(e => e.GetString()!)] },
            "NS" => new AttributeValue { NS = [.. value.EnumerateArray().Select(e => e.GetString()!)] },
            "L" => new AttributeValue { L = [.. value.EnumerateArray().Select(Value)], IsLSet = true },
            "M" => new AttributeValue { M = value.EnumerateObject().ToDictionary(m => m.Name, m => Value(m.Value)), IsMSet = true },
            var other => throw new ArgumentException($"No type {other}."),
        };
    }

    private static string Text(AttributeValue value) => value switch
    {
        { S: not null } => $"{{\"S\":\"{value.S}\"}}",
        { N: not null } => $"{{\"N\":\"{value.N}\"}}",
        { B: not null } => $"{{\"B\":\"{Convert.ToBase64String(value.B.ToArray())}\"}}",
        { BOOL: not null } => $"{{\"BOOL\":{(value.BOOL == true ? "true" : "false")}}}",
        { NULL: true } => "{\"NULL\":true}",
        { SS.Count: > 0 } => $"{{\"SS\":[{string.Join(",", value.SS.Order(StringComparer.Ordinal).Select(e => $"\"{e}\""))}]}}",
        { NS.Count: > 0 } => $"{{\"NS\":[{string.Join(",", value.NS.Order(StringComparer.Ordinal).Select(e => $"\"{e}\""))}]}}",
        { M: not null, IsMSet: true } => $"{{\"M\":{Text(value.M)}}}",
        { L: not null } => $"{{\"L\":[{string.Join(",", value.L.Select(Text))}]}}",
        _ => throw new ArgumentException("A value of no type."),
    };
}
