using System.Diagnostics;
using System.Xml.Linq;
using ChatPlatform.LocalAws.Faults;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3.Objects;
using Microsoft.AspNetCore.Http.Features;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>
/// Answers every request that no other endpoint takes as S3's REST protocol (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAPI.html), path style and
/// virtual-host style. Presigned URLs are verified, and the chunks of a signed <c>aws-chunked</c> body; the signature in an <c>Authorization</c> header is not:
/// every caller on loopback is trusted.
/// </summary>
internal sealed partial class S3Endpoint(
    IReadOnlyList<S3Operation> operations, S3Service service, ObjectStore store, SigningCredentials credentials, FaultRules faults, TimeProvider time, Meters meters,
    ILogger<S3Endpoint> log)
{
    private readonly S3Operation[] _operations = [.. operations.OrderByDescending(o => o.Selectors.Count).ThenByDescending(o => o.SelectingHeader is not null)];

    public async Task HandleAsync(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        var requestId = Guid.NewGuid().ToString("N")[..16].ToUpperInvariant();
        context.Response.Headers["x-amz-request-id"] = requestId;
        var name = "Unknown";
        string? error = null;
        try
        {
            var call = S3Call.Parse(context);
            if (call.Bucket.Length > 0)
                OperationSpan.Of(context)?.SetTag("aws.s3.bucket", call.Bucket);
            if (Cors.IsPreflight(context.Request))
            {
                name = "Preflight";
                await Cors.AnswerPreflightAsync(call, store);
            }
            else
            {
                Cors.AllowOrigin(call, store);
                var operation = Select(call);
                name = operation.Name;
                Authorize(call);
                operation.RefuseUnknown(call);
                var drawn = faults.Draw(service, name, call.Bucket);
                if (drawn is null)
                    await operation.HandleAsync(call);
                else if (!await HandleWithFaultsAsync(operation, call, drawn))
                    return;
            }
        }
        catch (AwsException known)
        {
            error = known.Type;
            await AnswerErrorAsync(context, known, requestId);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            error = "ClientAborted";
        }
        catch (Exception defect) when (defect is not BadHttpRequestException)
        {
            error = service.InternalError().Type;
            LogDefect(log, name, context.Request.Path, defect);
            await AnswerErrorAsync(context, service.InternalError(), requestId);
        }

        meters.Record("s3", name, error, Stopwatch.GetElapsedTime(started));
        OperationSpan.Of(context)?.Describe(service, name, error, requestId);
    }

    /// <summary>False: the connection was reset. An answer that is to be lost is written to nowhere, so that the fault may still answer in its place.</summary>
    private static async Task<bool> HandleWithFaultsAsync(S3Operation operation, S3Call call, DrawnFaults drawn)
    {
        if (!await drawn.StrikeAsync(call.Context, after: false))
            return false;
        var body = call.Context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        using var kept = new MemoryStream();
        if (drawn.AnyAfter)
            call.Context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(kept));
        try
        {
            await operation.HandleAsync(call);
        }
        finally
        {
            call.Context.Features.Set(body);
        }

        if (!await drawn.StrikeAsync(call.Context, after: true))
            return false;
        await call.Response.Body.WriteAsync(kept.GetBuffer().AsMemory(0, (int)kept.Length), call.Aborted);
        return true;
    }

    /// <exception cref="S3Exception"><c>NotImplemented</c>, <c>MethodNotAllowed</c>.</exception>
    private S3Operation Select(S3Call call)
    {
        var scope = call.Bucket.Length == 0 ? S3Scope.Service : call.Key.Length == 0 ? S3Scope.Bucket : S3Scope.Object;
        foreach (var operation in _operations)
        {
            if (operation.Matches(call, scope))
                return operation;
        }

        if (call.Query.All.Count > 0)
            throw S3Exception.NotImplemented($"{call.Request.Method} with the query parameter '{call.Query.All[0].Key}'");
        if (HttpMethods.IsPost(call.Request.Method))
            throw S3Exception.NotImplemented("An upload by an HTML form");
        throw new S3Exception("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
        {
            Details = [new("Method", call.Request.Method)],
        };
    }

    private void Authorize(S3Call call)
    {
        if (call.Header("x-amz-expected-bucket-owner") is { } owner && owner != S3Call.AccountId)
            throw S3Exception.AccessDenied("Access Denied");
        if (PresignedUrl.IsPresigned(call.Query))
        {
            var amzHeaders = call.Request.Headers.Keys.Select(k => k.ToLowerInvariant()).Where(k => k.StartsWith("x-amz-", StringComparison.Ordinal));
            PresignedUrl.Verify(call.Request.Method, call.Path, call.Query, RequestHeader, amzHeaders, credentials, time.GetUtcNow());
        }
        else if (call.Query["AWSAccessKeyId"] is not null || call.Header("authorization")?.StartsWith("AWS ", StringComparison.Ordinal) == true)
        {
            throw S3Exception.InvalidRequest("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
        }

        else
        {
            call.ChunkSignatures = ChunkSignatures.Of(call.Header("x-amz-content-sha256"), call.Header("authorization"), call.Header("x-amz-date"), credentials);
        }

        string? RequestHeader(string name) => call.Request.Headers.TryGetValue(name, out var values) ? values.ToString() : null;
    }

    private static async Task AnswerErrorAsync(HttpContext context, AwsException error, string requestId)
    {
        if (context.Response.HasStarted)
        {
            // Half an answer must not look like a whole one.
            context.Abort();
            return;
        }

        var document = new XElement("Error", new XElement("Code", error.Type), new XElement("Message", error.Message));
        foreach (var (name, value) in (error as S3Exception)?.Details ?? [])
            document.Add(new XElement(name, value));
        document.Add(new XElement("Resource", context.Request.Path.Value), new XElement("RequestId", requestId));
        var response = context.Response;
        foreach (var header in (string[])["ETag", "Last-Modified", "Content-Range", "Accept-Ranges", "Content-Encoding"])
            response.Headers.Remove(header);
        var bodiless = HttpMethods.IsHead(context.Request.Method) || error.Status == StatusCodes.Status304NotModified;
        await new S3Call(context, "", "", "", new S3Query("")).AnswerAsync(error.Status, bodiless ? null : document);
    }

    [LoggerMessage(1, LogLevel.Error, "{Operation} of {Path} failed")]
    private static partial void LogDefect(ILogger logger, string operation, string path, Exception error);
}
