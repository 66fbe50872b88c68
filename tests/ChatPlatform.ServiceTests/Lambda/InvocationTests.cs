using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using ChatPlatform.AwsRules;

namespace ChatPlatform.ServiceTests.Lambda;

/// <summary>
/// Rules of https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, over one
/// emulator.
/// </summary>
public sealed class InvocationTests(InvocationTests.Shared shared) : IClassFixture<InvocationTests.Shared>
{
    private const string Script = "tests/ChatPlatform.ServiceTests/Lambda/scripted-function.mjs";

    private readonly EmulatorFixture _emulator = shared.Emulator;

    [Fact]
    public async Task A_function_is_started_on_demand_with_lambdas_environment_and_is_used_again()
    {
        using var answer = await _emulator.InvokeAsync("fresh", """{"do":"echo","text":"안녕"}""", logType: "Tail");
        var first = await answer.Content.ReadFromJsonAsync<JsonElement>();
        ((int)answer.StatusCode).ShouldBe(200);
        answer.Headers.GetValues("X-Amz-Executed-Version").ShouldBe(["$LATEST"]);
        answer.Headers.Contains("X-Amz-Function-Error").ShouldBeFalse();
        first.GetProperty("event").GetProperty("text").GetString().ShouldBe("안녕");

        var env = first.GetProperty("env");
        env.GetProperty("AWS_LAMBDA_FUNCTION_NAME").GetString().ShouldBe("fresh");
        env.GetProperty("AWS_LAMBDA_FUNCTION_VERSION").GetString().ShouldBe("$LATEST");
        env.GetProperty("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").GetString().ShouldBe("128");
        env.GetProperty("AWS_REGION").GetString().ShouldBe("ap-northeast-2");
        env.GetProperty("LAMBDA_TASK_ROOT").GetString().ShouldNotBeNullOrEmpty();
        env.GetProperty("_HANDLER").GetString().ShouldBe("bootstrap");
        env.GetProperty("OWN").GetString().ShouldBe("mine");
        env.TryGetProperty("ASPNETCORE_URLS", out _).ShouldBeFalse();

        var headers = first.GetProperty("headers");
        Guid.Parse(headers.GetProperty("lambda-runtime-aws-request-id").GetString()!).ShouldNotBe(Guid.Empty);
        headers.GetProperty("lambda-runtime-trace-id").GetString()!.ShouldMatch("^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]$");
        headers.GetProperty("lambda-runtime-invoked-function-arn").GetString().ShouldBe("arn:aws:lambda:ap-northeast-2:000000000000:function:fresh");
        var deadline = DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(headers.GetProperty("lambda-runtime-deadline-ms").GetString()!));
        (deadline - DateTimeOffset.UtcNow).ShouldBeInRange(TimeSpan.Zero, TimeSpan.FromSeconds(2));

        var log = Encoding.UTF8.GetString(Convert.FromBase64String(answer.Headers.GetValues("X-Amz-Log-Result").Single()));
        log.ShouldContain("START RequestId: ");
        log.ShouldContain("END RequestId: ");
        log.ShouldMatch("REPORT RequestId: [^\t]+\tDuration: [0-9.]+ ms\tBilled Duration: [0-9]+ ms\tMemory Size: 128 MB\tMax Memory Used: [0-9]+ MB\tInit Duration: [0-9.]+ ms");

        var second = await (await _emulator.InvokeAsync("fresh", """{"do":"echo"}""")).Content.ReadFromJsonAsync<JsonElement>();
        second.GetProperty("pid").GetInt32().ShouldBe(first.GetProperty("pid").GetInt32());
        await _emulator.WaitForAsync(() => _emulator.Process.Output.Contains("[fresh] echoing"), "the function's output in the log");
    }

    [Fact]
    public async Task Each_concurrent_invocation_has_its_own_process_and_one_too_many_is_throttled()
    {
        int Started() => _emulator.Process.Output.Split("[scripted] START RequestId: ").Length;
        var before = Started();
        var three = Enumerable.Range(0, 3).Select(_ => _emulator.InvokeAsync("scripted", """{"do":"sleep","ms":1500}""")).ToArray();
        await _emulator.WaitForAsync(() => Started() == before + 3, "all three invocations to run");
        using var fourth = await _emulator.InvokeAsync("scripted", "{}");
        ((int)fourth.StatusCode).ShouldBe(429);
        fourth.Headers.GetValues("x-amzn-ErrorType").ShouldBe(["TooManyRequestsException"]);

        var pids = new List<int>();
        foreach (var invocation in three)
            pids.Add((await (await invocation).Content.ReadFromJsonAsync<JsonElement>()).GetProperty("pid").GetInt32());
        pids.Distinct().Count().ShouldBe(3);
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html")]
    [InlineData("""{"do":"error"}""", "scripted", "Own.Error", "as asked")]
    [InlineData("""{"do":"exit","code":3}""", "scripted", "Runtime.ExitError", "Runtime exited with error: exit status 3")]
    [InlineData("""{"do":"exit","code":0}""", "scripted", "Runtime.ExitError", "Runtime exited without providing a reason")]
    [InlineData("""{"do":"hang"}""", "scripted", "Sandbox.Timedout", "Task timed out after 2.00 seconds")]
    [InlineData("""{"do":"large","size":6291456}""", "scripted", "Function.ResponseSizeTooLarge", "Response payload size exceeded")]
    [InlineData("{}", "broken", "Init.Failed", "no")]
    [InlineData("{}", "gone", "Runtime.ExitError", "Runtime exited with error: exit status 127")]
    public async Task A_function_that_fails_is_a_function_error_and_the_next_invocation_works(string payload, string function, string type, string message)
    {
        using var answer = await _emulator.InvokeAsync(function, payload);
        ((int)answer.StatusCode).ShouldBe(200);
        answer.Headers.GetValues("X-Amz-Function-Error").ShouldBe(["Unhandled"]);
        var error = await answer.Content.ReadFromJsonAsync<JsonElement>();
        error.GetProperty("errorType").GetString().ShouldBe(type);
        error.GetProperty("errorMessage").GetString()!.ShouldContain(message);
        (await (await _emulator.InvokeAsync("scripted", "{}")).Content.ReadAsStringAsync()).ShouldBe("{}");
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html")]
    [InlineData("nobody", "{}", null, 404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:ap-northeast-2:000000000000:function:nobody")]
    [InlineData("scripted:7", "{}", null, 404, "ResourceNotFoundException", "Function not found")]
    [InlineData("scripted", "{no", null, 400, "InvalidRequestContentException", "Could not parse request body into json")]
    [InlineData("scripted", "{} {}", "Event", 400, "InvalidRequestContentException", "Could not parse request body into json")]
    [InlineData("scripted", "[1,]", "DryRun", 400, "InvalidRequestContentException", "Could not parse request body into json")]
    [InlineData("scripted", "{}", "Later", 400, "InvalidParameterValueException", "X-Amz-Invocation-Type is 'Later'")]
    public async Task A_request_that_lambda_refuses_is_refused_with_its_error(string function, string payload, string? type, int status, string error, string message) =>
        await ShouldFailAsync(_emulator.InvokeAsync(function, payload, type), status, error, message);

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html")]
    [InlineData(null, 6 * 1024 * 1024, 200)]
    [InlineData(null, (6 * 1024 * 1024) + 1, 413)]
    [InlineData("RequestResponse", (6 * 1024 * 1024) + 1, 413)]
    [InlineData("DryRun", (6 * 1024 * 1024) + 1, 413)]
    [InlineData("Event", 1024 * 1024, 202)]
    [InlineData("Event", (1024 * 1024) + 1, 413)]
    public async Task A_payload_has_the_size_that_lambda_allows(string? type, int bytes, int status)
    {
        using var answer = await _emulator.InvokeAsync("scripted", $"\"{new string('x', bytes - 2)}\"", type);
        ((int)answer.StatusCode).ShouldBe(status);
        if (status == 413)
            answer.Headers.GetValues("x-amzn-ErrorType").ShouldBe(["RequestTooLargeException"]);
    }

    [Fact]
    public async Task An_event_is_accepted_at_once_and_runs_and_a_dry_run_runs_nothing()
    {
        var file = Path.Combine(_emulator.Folder, "appended");
        var payload = JsonSerializer.Serialize(new Dictionary<string, string> { ["do"] = "append", ["file"] = file });
        using var dry = await _emulator.InvokeAsync("scripted", payload, "DryRun");
        ((int)dry.StatusCode).ShouldBe(204);
        using var accepted = await _emulator.InvokeAsync("scripted", payload, "Event");
        ((int)accepted.StatusCode).ShouldBe(202);
        await _emulator.WaitForAsync(() => File.Exists(file) && File.ReadAllText(file) == "done\n", "the event to run once");
    }

    [Fact]
    public async Task Functions_are_listed_and_a_partial_or_whole_arn_names_one()
    {
        using var answer = await _emulator.SendAsync(HttpMethod.Get, "/2015-03-31/functions/");
        var list = await answer.Content.ReadFromJsonAsync<JsonElement>();
        list.GetProperty("Functions").EnumerateArray().Select(f => f.GetProperty("FunctionName").GetString()).ShouldBe(["broken", "cdc", "fresh", "gone", "scripted"]);
        foreach (var name in (string[])["000000000000:function:scripted", "arn:aws:lambda:ap-northeast-2:000000000000:function:scripted:$LATEST"])
            (await _emulator.InvokeAsync(name, "{}")).Headers.Contains("X-Amz-Function-Error").ShouldBeFalse();
    }

    private static async Task ShouldFailAsync(Task<HttpResponseMessage> request, int status, string type, string message)
    {
        using var answer = await request;
        ((int)answer.StatusCode).ShouldBe(status);
        answer.Headers.GetValues("x-amzn-ErrorType").ShouldBe([type]);
        (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("Message").GetString()!.ShouldContain(message);
    }

    /// <summary>One emulator for the class; room for three processes.</summary>
    public sealed class Shared : IAsyncLifetime
    {
        public EmulatorFixture Emulator { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            var script = Path.Combine(Processes.ServiceProcess.RepositoryRoot, Script);
            Emulator = await EmulatorFixture.StartAsync(
                ("Functions__broken__Command", "node"),
                ("Functions__broken__Arguments__0", script),
                ("Functions__broken__Environment__INIT", "error"),
                ("Functions__fresh__Command", "node"),
                ("Functions__fresh__Arguments__0", script),
                ("Functions__fresh__TimeoutSeconds", "2"),
                ("Functions__fresh__Environment__OWN", "mine"),
                ("Functions__gone__Command", "/nowhere/program"),
                ("MaximumConcurrency", "3"));
        }

        public async Task DisposeAsync() => await Emulator.DisposeAsync();
    }
}
