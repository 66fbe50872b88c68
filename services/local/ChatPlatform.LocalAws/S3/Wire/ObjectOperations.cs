using System.Globalization;
using System.Text;
using System.Xml.Linq;
using ChatPlatform.LocalAws.S3.Objects;
using Microsoft.Net.Http.Headers;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>Operations on objects. Thread-safe.</summary>
internal sealed class ObjectOperations(ObjectStore store)
{
    /// <summary>The largest object of a single put, 5 GiB (https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html).</summary>
    public const long MaxPutBytes = 5L * 1024 * 1024 * 1024;

    private const int MaxDeletes = 1_000;
    private const int MaxUserMetadataBytes = 2 * 1024;
    private const string CopySource = "x-amz-copy-source";
    private static readonly XNamespace Ns = S3Call.Namespace;
    private static readonly string[] SystemHeaders = ["content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

    /// <summary>Accepted only with the values that describe what happens here anyway: owner-only access, storage class STANDARD, encryption AES256 as S3's default.</summary>
    public static IReadOnlyList<string> DefaultedHeaders { get; } = ["x-amz-acl", "x-amz-storage-class", "x-amz-server-side-encryption"];

    private static readonly string[] ResponseOverrides =
        ["response-content-type", "response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-expires"];

    public IEnumerable<S3Operation> All =>
    [
        new("PutObject", "PUT", S3Scope.Object, [], PutAsync) { Headers = DefaultedHeaders, TakesMetadata = true },
        new("CopyObject", "PUT", S3Scope.Object, [], CopyAsync)
        {
            SelectingHeader = CopySource,
            Headers = [.. DefaultedHeaders, "x-amz-metadata-directive", "x-amz-checksum-algorithm", .. CopyConditions],
            TakesMetadata = true,
        },
        new("GetObject", "GET", S3Scope.Object, [], GetAsync) { Parameters = ResponseOverrides, Headers = ["x-amz-checksum-mode"] },
        new("HeadObject", "HEAD", S3Scope.Object, [], GetAsync) { Parameters = ResponseOverrides, Headers = ["x-amz-checksum-mode"] },
        new("DeleteObject", "DELETE", S3Scope.Object, [], DeleteAsync),
        new("DeleteObjects", "POST", S3Scope.Bucket, ["delete"], DeleteManyAsync),
    ];

    /// <summary>The conditions on a copy's source.</summary>
    public static IReadOnlyList<string> CopyConditions { get; } =
        ["x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match", "x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since"];

    public static string Iso(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <exception cref="S3Exception"><c>AccessControlListNotSupported</c>: ACLs are off, as in every new bucket.</exception>
    public static void CheckAcl(S3Call call)
    {
        if (call.Header("x-amz-acl") is { } acl && acl is not ("private" or "bucket-owner-full-control"))
            throw new S3Exception("AccessControlListNotSupported", "The bucket does not allow ACLs", 400);
        if (call.Header("x-amz-object-ownership") is { } ownership && ownership != "BucketOwnerEnforced")
            throw S3Exception.NotImplemented($"x-amz-object-ownership: {ownership}");
    }

    /// <exception cref="S3Exception"><c>NotImplemented</c> for another storage class or encryption than the default ones.</exception>
    public static void CheckDefaults(S3Call call)
    {
        CheckAcl(call);
        if (call.Header("x-amz-storage-class") is { } storage && storage != "STANDARD")
            throw S3Exception.NotImplemented($"x-amz-storage-class: {storage}");
        if (call.Header("x-amz-server-side-encryption") is { } encryption && encryption != "AES256")
            throw S3Exception.NotImplemented($"x-amz-server-side-encryption: {encryption}");
    }

    /// <summary>The headers to keep with an object.</summary>
    /// <exception cref="S3Exception"><c>MetadataTooLarge</c>.</exception>
    public static ObjectHeaders HeadersOf(S3Call call)
    {
        var system = new Dictionary<string, string>();
        foreach (var name in SystemHeaders)
        {
            var value = name == "content-encoding"
                ? string.Join(',', IncomingBody.ContentEncodings(call).Where(e => e != "aws-chunked"))
                : call.Header(name);
            if (!string.IsNullOrEmpty(value))
                system[name] = value;
        }

        var user = new Dictionary<string, string>();
        foreach (var (name, value) in call.Request.Headers.Select(h => KeyValuePair.Create(h.Key, h.Value.ToString())).Concat(call.Query.All))
        {
            if (name.StartsWith("x-amz-meta-", StringComparison.OrdinalIgnoreCase))
                user[name["x-amz-meta-".Length..].ToLowerInvariant()] = value;
        }

        if (user.Sum(p => Encoding.UTF8.GetByteCount(p.Key) + Encoding.UTF8.GetByteCount(p.Value)) > MaxUserMetadataBytes)
            throw new S3Exception("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", 400) { Details = [new("MaxSizeAllowed", "2048")] };
        return new ObjectHeaders(system, user);
    }

    /// <exception cref="S3Exception"><c>NotImplemented</c> for an If-None-Match other than <c>*</c>.</exception>
    public static WriteCondition ConditionOf(S3Call call)
    {
        if (call.Header("if-none-match") is { } value && value != "*")
            throw S3Exception.NotImplemented("A header you provided: If-None-Match with anything but *");
        return new WriteCondition(call.Header("if-match")?.Trim('"'), call.Header("if-none-match") is not null);
    }

    public static void AnswerChecksum(S3Call call, ObjectChecksum? checksum)
    {
        if (checksum is null)
            return;
        call.Response.Headers[ChecksumAlgorithms.Header(checksum.Algorithm)] = checksum.Value;
        call.Response.Headers["x-amz-checksum-type"] = checksum.Type;
    }

    /// <summary>Opens the source of a copy, checked against its conditions.</summary>
    /// <param name="range">An inclusive range as <c>bytes=0-9</c>, or null for all.</param>
    public (ObjectMetadata Metadata, Stream Bytes) OpenCopySource(S3Call call, string? range)
    {
        var source = call.Header(CopySource)!;
        if (source.Contains("?versionId=", StringComparison.Ordinal))
            throw S3Exception.NotImplemented("A version in x-amz-copy-source");
        source = Uri.UnescapeDataString(source).TrimStartOne();
        var slash = source.IndexOf('/');
        if (slash <= 0 || slash == source.Length - 1)
            throw S3Exception.InvalidArgument(CopySource, source, "Invalid copy source object key");
        return store.GetBucket(source[..slash]).Open(source[(slash + 1)..], metadata =>
        {
            if (Conditions.Evaluate(metadata, name => call.Header("x-amz-copy-source-" + name)) != StatusCodes.Status200OK)
                throw S3Exception.PreconditionFailed("x-amz-copy-source-If");
            if (range is null)
                return (0, metadata.Size);
            var (offset, length) = ByteRange.Parse(range, metadata.Size) ?? throw S3Exception.InvalidArgument("x-amz-copy-source-range", range, "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy");
            return (offset, length);
        });
    }

    private async Task PutAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        CheckDefaults(call);
        var (headers, condition) = (HeadersOf(call), ConditionOf(call));
        await using var staged = store.Stage();
        var checksum = await IncomingBody.ReceiveAsync(call, staged, MaxPutBytes, ChecksumAlgorithms.Crc64Nvme);
        var metadata = bucket.Put(call.Key, staged, headers, checksum, condition);
        call.Response.Headers.ETag = $"\"{metadata.ETag}\"";
        AnswerChecksum(call, checksum);
        await call.AnswerAsync(200);
    }

    private async Task CopyAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        CheckDefaults(call);
        var replace = call.Header("x-amz-metadata-directive") switch
        {
            null or "COPY" => false,
            "REPLACE" => true,
            var other => throw S3Exception.InvalidArgument("x-amz-metadata-directive", other, "Unknown metadata directive."),
        };
        var (source, bytes) = OpenCopySource(call, null);
        await using var _ = bytes;
        if (!replace && Uri.UnescapeDataString(call.Header(CopySource)!).TrimStartOne() == $"{call.Bucket}/{call.Key}")
            throw S3Exception.InvalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.");

        await using var staged = store.Stage();
        var algorithm = IncomingBody.Algorithm(call.Header("x-amz-checksum-algorithm")) ?? source.Checksum?.Algorithm ?? ChecksumAlgorithms.Crc64Nvme;
        staged.Track(algorithm);
        await IncomingBody.CopyAsync(bytes, staged, MaxPutBytes, call.Aborted);
        var checksum = new ObjectChecksum(algorithm, staged.ChecksumOf(algorithm), ObjectChecksum.FullObject);
        var metadata = bucket.Put(call.Key, staged, replace ? HeadersOf(call) : source.Headers, checksum, ConditionOf(call));
        await call.AnswerAsync(200, CopyResult("CopyObjectResult", metadata));
    }

    /// <summary><c>CopyObjectResult</c> or <c>CopyPartResult</c>.</summary>
    public static XElement CopyResult(string name, ObjectMetadata metadata) => new(
        Ns + name,
        new XElement(Ns + "LastModified", Iso(metadata.LastModified)),
        new XElement(Ns + "ETag", $"\"{metadata.ETag}\""),
        metadata.Checksum is null ? null : new XElement(Ns + ("Checksum" + metadata.Checksum.Algorithm), metadata.Checksum.Value));

    private async Task GetAsync(S3Call call)
    {
        var status = StatusCodes.Status200OK;
        (long Offset, long Length) range = default;
        var (metadata, bytes) = store.GetBucket(call.Bucket).Open(call.Key, found =>
        {
            status = Conditions.Evaluate(found, call.Header);
            range = (0, found.Size);
            // If-Range with another version means the whole object (RFC 9110 13.1.5).
            var whole = call.Header("if-range") is { } ifRange && ifRange.Trim('"') != found.ETag;
            if (status == StatusCodes.Status200OK && !whole && call.Header("range") is { } text && ByteRange.Parse(text, found.Size) is { } part)
                (status, range) = (StatusCodes.Status206PartialContent, part);
            return range;
        });
        await using var _ = bytes;
        if (status == StatusCodes.Status412PreconditionFailed)
            throw S3Exception.PreconditionFailed(call.Header("if-match") is not null ? "If-Match" : "If-Unmodified-Since");

        var response = call.Response;
        response.Headers.ETag = $"\"{metadata.ETag}\"";
        response.Headers.LastModified = HeaderUtilities.FormatDate(metadata.LastModified);
        if (status == StatusCodes.Status304NotModified)
        {
            await call.AnswerAsync(304);
            return;
        }

        response.StatusCode = status;
        response.Headers.AcceptRanges = "bytes";
        response.Headers.ContentType = "binary/octet-stream";
        foreach (var (name, value) in metadata.Headers.System)
            response.Headers[name] = Ascii(value);
        foreach (var (name, value) in metadata.Headers.User)
            response.Headers["x-amz-meta-" + name] = Ascii(value);
        foreach (var name in ResponseOverrides)
        {
            if (call.Query[name] is { } value)
                response.Headers[name["response-".Length..]] = Ascii(value);
        }

        if (status == StatusCodes.Status206PartialContent)
            response.Headers.ContentRange = $"bytes {range.Offset}-{range.Offset + range.Length - 1}/{metadata.Size}";
        else if (call.Header("x-amz-checksum-mode")?.Equals("ENABLED", StringComparison.OrdinalIgnoreCase) == true)
            AnswerChecksum(call, metadata.Checksum);
        response.ContentLength = range.Length;
        if (!call.IsHead)
            await bytes.CopyToAsync(response.Body, 128 * 1024, call.Aborted);
    }

    private Task DeleteAsync(S3Call call)
    {
        store.GetBucket(call.Bucket).Remove(call.Key, ConditionOf(call));
        return call.AnswerAsync(204);
    }

    private async Task DeleteManyAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        if (call.Header("content-md5") is null && IncomingBody.GivenChecksum(call).Algorithm is null && call.Header("x-amz-trailer") is null)
            throw S3Exception.InvalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
        var document = await call.ReadXmlAsync();
        var objects = document?.Elements().Where(e => e.Name.LocalName == "Object").ToArray() ?? [];
        if (document?.Name.LocalName != "Delete" || objects.Length is 0 or > MaxDeletes || objects.Any(o => Child(o, "Key") is not { Length: > 0 }))
            throw S3Exception.MalformedXml();
        var quiet = Child(document, "Quiet") == "true";
        var result = new XElement(Ns + "DeleteResult");
        foreach (var item in objects)
        {
            var key = Child(item, "Key")!;
            try
            {
                if (item.Elements().FirstOrDefault(e => e.Name.LocalName is not ("Key" or "ETag")) is { } other)
                    throw S3Exception.NotImplemented($"The element '{other.Name.LocalName}' of DeleteObjects");
                bucket.Remove(key, new WriteCondition(Child(item, "ETag")?.Trim('"'), IfNoneMatch: false));
                if (!quiet)
                    result.Add(new XElement(Ns + "Deleted", new XElement(Ns + "Key", key)));
            }
            catch (S3Exception error)
            {
                result.Add(new XElement(Ns + "Error", new XElement(Ns + "Key", key), new XElement(Ns + "Code", error.Type), new XElement(Ns + "Message", error.Message)));
            }
        }

        await call.AnswerAsync(200, result);
    }

    /// <summary>The text of a child element, whatever its namespace; null when there is none.</summary>
    public static string? Child(XElement element, string name) => element.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value;

    // S3 gives metadata outside ASCII back as an RFC 2047 word (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
    private static string Ascii(string value) =>
        value.All(c => c is >= ' ' and < '\u007f') ? value : $"=?UTF-8?B?{Convert.ToBase64String(Encoding.UTF8.GetBytes(value))}?=";
}

/// <summary>Preconditions of reads, in RFC 9110's order of precedence as S3 documents it for GetObject.</summary>
internal static class Conditions
{
    /// <summary>200, 304 or 412.</summary>
    public static int Evaluate(ObjectMetadata metadata, Func<string, string?> header)
    {
        if (header("if-match") is { } match)
        {
            if (!Names(match, metadata.ETag))
                return StatusCodes.Status412PreconditionFailed;
        }
        else if (Date(header("if-unmodified-since")) is { } unmodified && Seconds(metadata.LastModified) > unmodified)
        {
            return StatusCodes.Status412PreconditionFailed;
        }

        if (header("if-none-match") is { } noneMatch)
            return Names(noneMatch, metadata.ETag) ? StatusCodes.Status304NotModified : StatusCodes.Status200OK;
        return Date(header("if-modified-since")) is { } modified && Seconds(metadata.LastModified) <= modified
            ? StatusCodes.Status304NotModified
            : StatusCodes.Status200OK;
    }

    private static bool Names(string list, string eTag) =>
        list.Split(',', StringSplitOptions.TrimEntries).Any(item => item == "*" || item.Trim('"') == eTag);

    private static DateTimeOffset? Date(string? text) => text is not null && HeaderUtilities.TryParseDate(text, out var date) ? date : null;

    // HTTP dates have whole seconds.
    private static DateTimeOffset Seconds(DateTimeOffset time) => DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds());
}

/// <summary>A single byte range (RFC 9110 14.1.2).</summary>
internal static class ByteRange
{
    /// <returns>Null when the header is to be ignored: another unit, several ranges (which S3 does not serve), or no range at all.</returns>
    /// <exception cref="S3Exception"><c>InvalidRange</c>.</exception>
    public static (long Offset, long Length)? Parse(string header, long size)
    {
        if (!header.StartsWith("bytes=", StringComparison.OrdinalIgnoreCase))
            return null;
        var text = header["bytes=".Length..].Trim();
        var dash = text.IndexOf('-');
        if (dash < 0 || text.Contains(','))
            return null;
        var (hasFirst, hasLast) = (Number(text[..dash], out var first), Number(text[(dash + 1)..], out var last));
        if ((!hasFirst && dash > 0) || (!hasLast && dash < text.Length - 1) || (!hasFirst && !hasLast) || (hasFirst && hasLast && last < first))
            return null;
        var (offset, end) = hasFirst
            ? (first, hasLast ? Math.Min(last, size - 1) : size - 1)
            : (Math.Max(0, size - last), size - 1);
        if (offset >= size || (!hasFirst && last == 0))
            throw new S3Exception("InvalidRange", "The requested range is not satisfiable", 416)
            {
                Details = [new("RangeRequested", header), new("ActualObjectSize", size.ToString(CultureInfo.InvariantCulture))],
            };
        return (offset, end - offset + 1);
    }

    private static bool Number(string text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
