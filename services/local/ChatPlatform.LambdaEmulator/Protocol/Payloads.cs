namespace ChatPlatform.LambdaEmulator.Protocol;

/// <summary>Payload limits (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html) and reading a body within them.</summary>
internal static class Payloads
{
    /// <summary>6 MB, request and response of a synchronous invocation.</summary>
    public const int SynchronousLimit = 6 * 1024 * 1024;

    /// <summary>1 MB, an asynchronous request.</summary>
    public const int AsynchronousLimit = 1024 * 1024;

    /// <summary>The whole body, or null when it is longer than <paramref name="limit"/>; then the rest is read and thrown away, so that the client gets to read the answer.</summary>
    public static async Task<byte[]?> ReadAsync(HttpRequest request, int limit)
    {
        using var bytes = new MemoryStream(request.ContentLength is > 0 and <= SynchronousLimit ? (int)request.ContentLength : 0);
        var buffer = new byte[32 * 1024];
        var total = 0L;
        int read;
        while ((read = await request.Body.ReadAsync(buffer, request.HttpContext.RequestAborted)) > 0)
        {
            total += read;
            if (total <= limit)
                bytes.Write(buffer, 0, read);
        }

        return total > limit ? null : bytes.ToArray();
    }
}
