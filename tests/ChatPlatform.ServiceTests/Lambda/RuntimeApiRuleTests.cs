using System.Net.Http.Json;
using System.Text.Json;
using ChatPlatform.AwsRules;

namespace ChatPlatform.ServiceTests.Lambda;

/// <summary>What Lambda promises a runtime, seen from a function that runs: its environment, its headers, and the answers of the Runtime API.</summary>
public sealed class RuntimeApiRuleTests(InvocationTests.Shared shared) : IClassFixture<InvocationTests.Shared>
{
    private const string RuntimeApi = "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html";
    private const string Variables = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-runtime.html";
    private const string Tracing = "https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html";
    private const string Guid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";

    private readonly EmulatorFixture _emulator = shared.Emulator;

    [Theory]
    [InlineData(Variables, "_HANDLER", "^bootstrap$")]
    [InlineData(Variables, "AWS_REGION", "^ap-northeast-2$")]
    [InlineData(Variables, "AWS_DEFAULT_REGION", "^ap-northeast-2$")]
    [InlineData(Variables, "AWS_EXECUTION_ENV", null)]
    [InlineData(Variables, "AWS_LAMBDA_FUNCTION_NAME", "^fresh$")]
    [InlineData(Variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "^128$")]
    [InlineData(Variables, "AWS_LAMBDA_FUNCTION_VERSION", "^\\$LATEST$")]
    [InlineData(Variables, "AWS_LAMBDA_INITIALIZATION_TYPE", "^on-demand$")]
    [InlineData(Variables, "AWS_LAMBDA_LOG_GROUP_NAME", "^/aws/lambda/fresh$")]
    [InlineData(Variables, "AWS_LAMBDA_LOG_STREAM_NAME", "^[0-9]{4}/[0-9]{2}/[0-9]{2}/\\[\\$LATEST\\][0-9a-f]{32}$")]
    [InlineData(Variables, "AWS_ACCESS_KEY_ID", "^local$")]
    [InlineData(Variables, "AWS_SECRET_ACCESS_KEY", "^local$")]
    [InlineData(Variables, "AWS_LAMBDA_RUNTIME_API", "^127\\.0\\.0\\.1:[0-9]+$")]
    [InlineData(Variables, "LAMBDA_TASK_ROOT", "^/")]
    [InlineData(Variables, "LAMBDA_RUNTIME_DIR", "^/")]
    [InlineData(Variables, "TZ", "^:UTC$")]
    public async Task A_function_has_the_environment_that_lambda_documents(string source, string variable, string? value)
    {
        source.ShouldBe(Variables);
        Matches((await EchoAsync()).GetProperty("env"), variable, value);
    }

    [Theory]
    [InlineData(RuntimeApi, "lambda-runtime-aws-request-id", $"^{Guid}$")]
    [InlineData(RuntimeApi, "lambda-runtime-deadline-ms", "^[0-9]{13}$")]
    [InlineData(RuntimeApi, "lambda-runtime-invoked-function-arn", "^arn:aws:lambda:ap-northeast-2:[0-9]{12}:function:fresh$")]
    [InlineData(Tracing, "lambda-runtime-trace-id", "^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]$")]
    [InlineData(RuntimeApi, "lambda-runtime-cognito-identity", null)]
    [InlineData(RuntimeApi, "lambda-runtime-client-context", null)]
    [InlineData(RuntimeApi, "content-type", "^application/json$")]
    public async Task The_next_invocation_has_the_headers_that_lambda_documents(string source, string header, string? value)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        Matches((await EchoAsync()).GetProperty("headers"), header, value);
    }

    /// <summary>What the function calls while it handles an invocation (ID is that one's), and the answer.</summary>
    [Theory]
    [AwsPage(RuntimeApi)]
    [InlineData("POST", "/invocation/11111111-0000-0000-0000-000000000000/response", 400, "InvalidRequestID")]
    [InlineData("POST", "/invocation/11111111-0000-0000-0000-000000000000/error", 400, "InvalidRequestID")]
    [InlineData("POST", "/invocation/none/response", 400, "InvalidRequestID")]
    [InlineData("POST", "/init/error", 403, "InvalidStateTransition")]
    [InlineData("GET", "/invocation/ID/response", 404, "NotFound")]
    [InlineData("POST", "/invocation/next", 404, "NotFound")]
    [InlineData("GET", "/other", 404, "NotFound")]
    public async Task A_call_that_is_out_of_place_is_refused_and_the_invocation_goes_on(string method, string path, int status, string type)
    {
        var answer = await CallAsync(method, path);
        answer.GetProperty("status").GetInt32().ShouldBe(status);
        JsonDocument.Parse(answer.GetProperty("body").GetString()!).RootElement.GetProperty("errorType").GetString().ShouldBe(type);
    }

    [Fact]
    public void Every_rule_names_the_page_of_AWS_it_comes_from()
    {
        var rules = RuleTables.Rules(typeof(RuntimeApiRuleTests).Assembly, typeof(RuntimeApiRuleTests).Namespace!);

        rules.Where(rule => !rule.IsSourced).ShouldBeEmpty();
        rules.Count.ShouldBeGreaterThanOrEqualTo(45);
    }

    private async Task<JsonElement> EchoAsync()
    {
        using var answer = await _emulator.InvokeAsync("fresh", """{"do":"echo"}""");
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private async Task<JsonElement> CallAsync(string method, string path)
    {
        using var answer = await _emulator.InvokeAsync("fresh", JsonSerializer.Serialize(new Dictionary<string, string> { ["do"] = "call", ["method"] = method, ["path"] = path }));
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static void Matches(JsonElement members, string name, string? pattern)
    {
        var value = members.TryGetProperty(name, out var member) ? member.GetString() : null;
        if (pattern is null)
            value.ShouldBeNull();
        else
            value.ShouldNotBeNull($"{name} is not set").ShouldMatch(pattern);
    }
}
