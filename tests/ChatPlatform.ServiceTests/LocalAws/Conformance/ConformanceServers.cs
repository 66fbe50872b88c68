using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws.Conformance;

/// <summary>
/// One LocalAws for all cases and, when <c>DYNAMODB_LOCAL_JAR</c> and <c>DYNAMODB_LOCAL_LIB</c> say where it is (<c>./dev conformance --oracle</c> sets them),
/// Amazon's DynamoDB Local beside it.
/// </summary>
public sealed class ConformanceServers : IAsyncLifetime
{
    private RunningLocalAws? _localAws;
    private ServiceProcess? _oracle;

    public HttpClient LocalAws { get; } = new();

    /// <summary>Null when nobody asked for the comparison.</summary>
    public HttpClient? Oracle { get; private set; }

    public async Task InitializeAsync()
    {
        _localAws = await RunningLocalAws.StartAsync(null);
        LocalAws.BaseAddress = new Uri(_localAws.Url);
        if (Environment.GetEnvironmentVariable("DYNAMODB_LOCAL_JAR") is not { Length: > 0 } jar)
            return;
        var libraries = Environment.GetEnvironmentVariable("DYNAMODB_LOCAL_LIB");
        var port = ServiceProcess.FreePort();
        _oracle = ServiceProcess.StartProgram("DynamoDB Local", "java", [$"-Djava.library.path={libraries}", "-jar", jar, "-inMemory", "-port", $"{port}"]);
        Oracle = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        await _oracle.WaitForAsync(async () =>
        {
            try
            {
                using var answer = await Oracle.GetAsync("/");
                return true;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "an answer", TimeSpan.FromMinutes(1));
    }

    public async Task DisposeAsync()
    {
        LocalAws.Dispose();
        Oracle?.Dispose();
        await _localAws!.DisposeAsync();
        if (_oracle is not null)
            await _oracle.DisposeAsync();
    }
}
