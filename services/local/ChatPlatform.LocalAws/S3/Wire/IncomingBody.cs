using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>
/// Takes a request's body in, out of its <c>aws-chunked</c> frame where it has one, and checks every digest that came with it: <c>Content-MD5</c>,
/// <c>x-amz-content-sha256</c>, <c>x-amz-checksum-*</c> as header or trailer (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
/// </summary>
internal static class IncomingBody
{
    private const int BufferBytes = 128 * 1024;

    /// <param name="most">The largest body in bytes.</param>
    /// <param name="defaultAlgorithm">The checksum to store when the client sent none; null for none.</param>
    /// <returns>The checksum to keep with the object.</returns>
    /// <exception cref="S3Exception"><c>BadDigest</c>, <c>InvalidDigest</c>, <c>XAmzContentSHA256Mismatch</c>, <c>IncompleteBody</c>, <c>EntityTooLarge</c>, <c>InvalidRequest</c>.</exception>
    public static async Task<ObjectChecksum?> ReceiveAsync(S3Call call, StagedContent staged, long most, string? defaultAlgorithm = null)
    {
        var sha256 = call.Header("x-amz-content-sha256") ?? "";
        var chunked = sha256.StartsWith("STREAMING-", StringComparison.Ordinal) || ContentEncodings(call).Contains("aws-chunked");
        var decodedLength = DecodedLength(call);
        if ((decodedLength ?? call.Request.ContentLength) > most)
            throw TooLarge();

        var (algorithm, expected) = GivenChecksum(call);
        var trailer = TrailerAlgorithm(call);
        if (trailer is not null && !chunked)
            throw S3Exception.InvalidRequest("x-amz-trailer needs an aws-chunked body.");
        if (expected is not null && trailer is not null)
            throw S3Exception.InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
        var stored = algorithm ?? trailer ?? defaultAlgorithm;
        if (stored is not null)
            staged.Track(stored);
        var checkPayload = sha256.Length == 64;
        if (checkPayload)
            staged.Track(ChecksumAlgorithms.Sha256);

        AwsChunkedStream? frame = null;
        var body = call.Request.Body;
        if (chunked)
            body = frame = new AwsChunkedStream(body, decodedLength, call.ChunkSignatures);
        using (frame)
        {
            await CopyAsync(body, staged, most, call.Aborted);
            if (trailer is not null)
                expected = frame!.Trailers.GetValueOrDefault(ChecksumAlgorithms.Header(trailer)) ?? throw S3Exception.InvalidRequest($"The trailer {ChecksumAlgorithms.Header(trailer)} is missing.");
        }

        CheckMd5(call, staged);
        if (checkPayload && Convert.ToHexStringLower(Convert.FromBase64String(staged.ChecksumOf(ChecksumAlgorithms.Sha256))) != sha256.ToLowerInvariant())
            throw new S3Exception("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.", 400);
        if (stored is null)
            return null;
        var actual = staged.ChecksumOf(stored);
        if (expected is not null && expected != actual)
            throw IsBase64(expected, ChecksumAlgorithms.LengthInBytes(stored))
                ? S3Exception.BadDigest(stored)
                : S3Exception.InvalidRequest($"Value for {ChecksumAlgorithms.Header(stored)} header is invalid.");
        return new ObjectChecksum(stored, actual, ObjectChecksum.FullObject);
    }

    /// <summary>The checksum given as a header, e.g. <c>x-amz-checksum-crc32c</c>; nulls when there is none.</summary>
    public static (string? Algorithm, string? Value) GivenChecksum(S3Call call)
    {
        var given = ChecksumAlgorithms.All.Where(a => call.Header(ChecksumAlgorithms.Header(a)) is not null).ToArray();
        return given.Length switch
        {
            0 => (null, null),
            1 => (given[0], call.Header(ChecksumAlgorithms.Header(given[0]))),
            _ => throw S3Exception.InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."),
        };
    }

    /// <summary>The tokens of <c>Content-Encoding</c>.</summary>
    public static string[] ContentEncodings(S3Call call) =>
        (call.Header("content-encoding") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Checks the name of an algorithm.</summary>
    /// <exception cref="S3Exception"><c>InvalidRequest</c>.</exception>
    public static string? Algorithm(string? name) => name switch
    {
        null or "" => null,
        _ when ChecksumAlgorithms.All.Contains(name.ToUpperInvariant()) => name.ToUpperInvariant(),
        _ => throw S3Exception.InvalidRequest($"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{string.Join(", ", ChecksumAlgorithms.All)}]"),
    };

    /// <summary>Copies at most <paramref name="most"/> bytes through a pooled buffer.</summary>
    public static async Task CopyAsync(Stream from, StagedContent to, long most, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            int read;
            while ((read = await from.ReadAsync(buffer, cancellationToken)) > 0)
            {
                if (to.Length + read > most)
                    throw TooLarge();
                await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }
        }
        catch (BadHttpRequestException error) when (error.StatusCode == StatusCodes.Status400BadRequest)
        {
            throw S3Exception.IncompleteBody();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static string? TrailerAlgorithm(S3Call call)
    {
        if (call.Header("x-amz-trailer") is not { Length: > 0 } name)
            return null;
        return ChecksumAlgorithms.All.FirstOrDefault(a => ChecksumAlgorithms.Header(a).Equals(name.Trim(), StringComparison.OrdinalIgnoreCase))
            ?? throw S3Exception.InvalidRequest("The value specified in the x-amz-trailer header is not supported");
    }

    private static long? DecodedLength(S3Call call)
    {
        if (call.Header("x-amz-decoded-content-length") is not { } text)
            return null;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            ? length
            : throw S3Exception.InvalidArgument("x-amz-decoded-content-length", text, "The decoded content length must be a whole number.");
    }

    private static void CheckMd5(S3Call call, StagedContent staged)
    {
        if (call.Header("content-md5") is not { } given)
            return;
        if (!IsBase64(given, MD5.HashSizeInBytes))
            throw new S3Exception("InvalidDigest", "The Content-MD5 you specified was invalid.", 400) { Details = [new("Content-MD5", given)] };
        if (Convert.ToBase64String(staged.Md5) != given)
            throw S3Exception.BadDigest("Content-MD5");
    }

    private static bool IsBase64(string text, int bytes)
    {
        Span<byte> decoded = stackalloc byte[64];
        return text.Length <= 80 && Convert.TryFromBase64String(text, decoded, out var length) && length == bytes;
    }

    private static S3Exception TooLarge() => new("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400);
}
