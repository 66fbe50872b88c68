using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.IO.Hashing;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChatPlatform.LocalAws.Faults;
using Microsoft.Extensions.Options;

namespace ChatPlatform.LocalAws.Protocol;

/// <summary>
/// Takes every <c>POST /</c> that carries <c>X-Amz-Target</c> (or an AWS JSON content type) to the <see cref="IAwsJsonService"/> with that prefix and turns
/// <see cref="AwsException"/> into AWS's JSON errors (https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html).
/// An <c>Authorization</c> header must be there, as for AWS, but its signature is not verified: every caller on loopback is trusted.
/// </summary>
internal sealed partial class AwsJsonEndpoint(RequestDelegate next, IEnumerable<IAwsJsonService> services, FaultRules faults, ILogger<AwsJsonEndpoint> log, Meters meters)
{
    /// <summary>DynamoDB's own limit for a request, 16 MB (BatchWriteItem), with room for the JSON around it.</summary>
    private const long BodyLimit = 24 * 1024 * 1024;

    private const int KeptAnswers = 64;
    private const int LargestKeptAnswer = 64 * 1024;

    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Buffers of earlier answers, for the next ones.</summary>
    private readonly ConcurrentQueue<ArrayBufferWriter<byte>> _answers = new();
    private readonly Dictionary<string, IAwsJsonService> _services = services.ToDictionary(s => s.TargetPrefix, StringComparer.Ordinal);

    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        var isJson = HttpMethods.IsPost(request.Method) && request.Path == "/"
            && (request.Headers.ContainsKey("X-Amz-Target") || request.ContentType?.StartsWith("application/x-amz-json", StringComparison.OrdinalIgnoreCase) == true);
        return isJson ? AnswerAsync(context) : next(context);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        var target = context.Request.Headers["X-Amz-Target"].ToString();
        var dot = target.IndexOf('.', StringComparison.Ordinal);
        var operation = target[(dot + 1)..];
        _services.TryGetValue(dot < 0 ? "" : target[..dot], out var service);
        var contentType = service?.ContentType ?? context.Request.ContentType ?? "application/x-amz-json-1.0";
        if (!_answers.TryDequeue(out var answer))
            answer = new ArrayBufferWriter<byte>(4096);
        var requestId = NewRequestId();
        var span = OperationSpan.Of(context);
        var status = StatusCodes.Status200OK;
        string? error = null;
        byte[]? body = null;
        try
        {
            if (service is null)
                throw AwsException.UnknownOperation(target.Length == 0 ? "(no X-Amz-Target)" : target);
            if (!HasCredentials(context.Request))
                throw new AwsException("MissingAuthenticationTokenException", "Request is missing Authentication Token") { Namespace = AwsException.FrameworkNamespace };
            var (buffer, length) = await ReadBodyAsync(context);
            body = buffer;
            if (span is not null && RequestedResources.Of(buffer.AsSpan(0, length)) is { Count: > 0 } resources)
                span.SetTag(service.ResourceKind == "table" ? "aws.dynamodb.table_names" : "aws.firehose.delivery_stream", resources.ToArray());
            var drawn = faults.Draw(service, operation, buffer.AsMemory(0, length));
            if (drawn is not null && !await drawn.StrikeAsync(context, after: false))
                return;
            await service.HandleAsync(operation, buffer.AsMemory(0, length), answer, context.RequestAborted);
            if (drawn is not null && !await drawn.StrikeAsync(context, after: true))
                return;
        }
        catch (AwsException known)
        {
            (status, error) = (known.Status, known.Type);
            answer.ResetWrittenCount();
            WriteError(answer, known);
            if (status >= 500)
                LogFault(log, target, known);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (Exception defect) when (defect is not BadHttpRequestException)
        {
            (status, error) = (500, service!.InternalError().Type);
            answer.ResetWrittenCount();
            WriteError(answer, service!.InternalError());
            LogFault(log, target, defect);
        }
        finally
        {
            if (body is not null)
                ArrayPool<byte>.Shared.Return(body);
        }

        meters.Record(service?.Name ?? "unknown", service is null ? "unknown" : operation, error, Stopwatch.GetElapsedTime(started));
        span?.Describe(service, operation, error, requestId);

        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = contentType;
        response.ContentLength = answer.WrittenCount;
        response.Headers["x-amzn-RequestId"] = requestId;
        if (service?.TargetPrefix.StartsWith("DynamoDB", StringComparison.Ordinal) == true)
            response.Headers["x-amz-crc32"] = Crc32.HashToUInt32(answer.WrittenSpan).ToString(CultureInfo.InvariantCulture);
        await response.BodyWriter.WriteAsync(answer.WrittenMemory, context.RequestAborted);

        // Only now: what was not written whole must not be another request's buffer.
        if (answer.Capacity <= LargestKeptAnswer && _answers.Count < KeptAnswers)
        {
            answer.ResetWrittenCount();
            _answers.Enqueue(answer);
        }
    }

    /// <summary>32 hexadecimal digits. They only have to differ; random bytes for secrets cost a system call.</summary>
    private static string NewRequestId()
    {
        Span<byte> id = stackalloc byte[16];
        Random.Shared.NextBytes(id);
        return Convert.ToHexString(id);
    }

    private static bool HasCredentials(HttpRequest request) =>
        request.Headers.ContainsKey("Authorization") || request.Query.ContainsKey("X-Amz-Signature");

    /// <summary>The whole body in a pooled array, which the caller gives back.</summary>
    private static async Task<(byte[] Buffer, int Length)> ReadBodyAsync(HttpContext context)
    {
        if (context.Request.ContentLength > BodyLimit)
            throw TooLarge();
        var buffer = ArrayPool<byte>.Shared.Rent((int)(context.Request.ContentLength ?? 4096) + 1);
        var length = 0;
        try
        {
            while (true)
            {
                var read = await context.Request.Body.ReadAsync(buffer.AsMemory(length), context.RequestAborted);
                if (read == 0)
                    return (buffer, length);
                length += read;
                if (length == context.Request.ContentLength)
                    return (buffer, length);
                if (length > BodyLimit)
                    throw TooLarge();
                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    private static AwsException TooLarge() =>
        new("RequestEntityTooLargeException", $"The request is larger than {BodyLimit} bytes.", 413) { Namespace = AwsException.FrameworkNamespace };

    private static void WriteError(IBufferWriter<byte> answer, AwsException error)
    {
        using var json = new Utf8JsonWriter(answer, Json);
        json.WriteStartObject();
        json.WriteString("__type", error.Namespace.Length == 0 ? error.Type : $"{error.Namespace}#{error.Type}");
        json.WriteString("message", error.Message);
        error.WriteMembers(json);
        json.WriteEndObject();
    }

    [LoggerMessage(1, LogLevel.Error, "{Target} failed")]
    private static partial void LogFault(ILogger logger, string target, Exception error);
}
