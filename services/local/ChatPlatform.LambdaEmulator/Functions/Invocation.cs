using System.Diagnostics;
using System.Text.Json;

namespace ChatPlatform.LambdaEmulator.Functions;

/// <summary>One invocation on its way to a process.</summary>
internal sealed class Invocation(string functionArn, byte[] payload, string? clientContext)
{
    public string RequestId { get; } = Guid.NewGuid().ToString();

    public string FunctionArn { get; } = functionArn;

    /// <summary>The event, JSON in UTF-8.</summary>
    public byte[] Payload { get; } = payload;

    /// <summary>Base64 as the caller gave it.</summary>
    public string? ClientContext { get; } = clientContext;

    /// <summary><c>Root=1-TTTTTTTT-…;Parent=…;Sampled=…</c> (https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html), from the current W3C trace.</summary>
    public string TraceId { get; } = XRayTraceId(Activity.Current);

    /// <summary>When the process is killed; set when the process is there.</summary>
    public DateTimeOffset Deadline { get; set; }

    /// <summary>True once the function has taken it: from then on a lost process is a function error and no reason for a silent second try.</summary>
    public bool Delivered { get; set; }

    private static string XRayTraceId(Activity? activity)
    {
        var trace = (activity?.TraceId ?? ActivityTraceId.CreateRandom()).ToHexString();
        var span = (activity?.SpanId ?? ActivitySpanId.CreateRandom()).ToHexString();
        return $"Root=1-{trace[..8]}-{trace[8..]};Parent={span};Sampled={(activity?.Recorded == true ? 1 : 0)}";
    }
}

/// <summary>How an invocation ended.</summary>
/// <param name="Payload">The function's answer, or the error as JSON.</param>
/// <param name="FunctionError">What goes into <c>X-Amz-Function-Error</c>; null on success.</param>
/// <param name="LogTail">The last 4 KB of the log.</param>
/// <param name="RequestId">The invocation's id.</param>
internal sealed record InvocationResult(byte[] Payload, string? FunctionError, string LogTail = "", string RequestId = "")
{
    public static InvocationResult Success(byte[] payload) => new(payload, null);

    /// <summary>The runtime reported an error. Lambda calls every error of a current runtime <c>Unhandled</c>.</summary>
    public static InvocationResult Error(byte[] payload) => new(payload, "Unhandled");

    public static InvocationResult TimedOut(string requestId, TimeSpan timeout) =>
        Failed("Sandbox.Timedout", FormattableString.Invariant($"RequestId: {requestId} Error: Task timed out after {timeout.TotalSeconds:0.00} seconds"));

    public static InvocationResult Exited(string requestId, string how) => Failed("Runtime.ExitError", $"RequestId: {requestId} Error: {how}");

    public static InvocationResult ResponseTooLarge(string requestId) =>
        Failed("Function.ResponseSizeTooLarge", $"RequestId: {requestId} Error: Response payload size exceeded maximum allowed payload size (6291556 bytes).");

    public static InvocationResult Failed(string type, string message) =>
        Error(JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["errorType"] = type, ["errorMessage"] = message }));
}
