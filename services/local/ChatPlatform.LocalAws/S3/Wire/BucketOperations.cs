using System.Globalization;
using System.Text;
using System.Xml.Linq;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>Operations on buckets and listings. Thread-safe.</summary>
internal sealed class BucketOperations(ObjectStore store)
{
    private const int MaxKeys = 1_000;
    private static readonly XNamespace Ns = S3Call.Namespace;

    public IEnumerable<S3Operation> All =>
    [
        new("ListBuckets", "GET", S3Scope.Service, [], ListBucketsAsync),
        new("CreateBucket", "PUT", S3Scope.Bucket, [], CreateAsync) { Headers = ["x-amz-acl", "x-amz-object-ownership"] },
        new("HeadBucket", "HEAD", S3Scope.Bucket, [], HeadAsync),
        new("DeleteBucket", "DELETE", S3Scope.Bucket, [], DeleteAsync),
        new("GetBucketLocation", "GET", S3Scope.Bucket, ["location"], GetLocationAsync),
        new("GetBucketVersioning", "GET", S3Scope.Bucket, ["versioning"], GetVersioningAsync),
        new("GetBucketAcl", "GET", S3Scope.Bucket, ["acl"], GetAclAsync),
        new("PutBucketCors", "PUT", S3Scope.Bucket, ["cors"], PutCorsAsync),
        new("GetBucketCors", "GET", S3Scope.Bucket, ["cors"], GetCorsAsync),
        new("DeleteBucketCors", "DELETE", S3Scope.Bucket, ["cors"], DeleteCorsAsync),
        new("ListObjects", "GET", S3Scope.Bucket, [], ListV1Async) { Parameters = ["prefix", "delimiter", "marker", "max-keys", "encoding-type"] },
        new("ListObjectsV2", "GET", S3Scope.Bucket, ["list-type"], ListV2Async)
        {
            Parameters = ["prefix", "delimiter", "start-after", "continuation-token", "max-keys", "encoding-type", "fetch-owner"],
        },
    ];

    /// <summary>The one account, as owner or initiator.</summary>
    public static XElement Owner(string name) => new(Ns + name, new XElement(Ns + "ID", S3Call.AccountId), new XElement(Ns + "DisplayName", "local"));

    private Task ListBucketsAsync(S3Call call) => call.AnswerAsync(200, new XElement(
        Ns + "ListAllMyBucketsResult",
        Owner("Owner"),
        new XElement(Ns + "Buckets", store.Buckets.Select(b => b.Settings).Select(b => new XElement(
            Ns + "Bucket",
            new XElement(Ns + "Name", b.Name),
            new XElement(Ns + "CreationDate", ObjectOperations.Iso(b.CreatedAt)),
            new XElement(Ns + "BucketRegion", b.Region))))));

    private async Task CreateAsync(S3Call call)
    {
        ObjectOperations.CheckAcl(call);
        var region = SigningRegion(call) ?? "us-east-1";
        if (await call.ReadXmlAsync() is { } document)
        {
            if (document.Name.LocalName != "CreateBucketConfiguration")
                throw S3Exception.MalformedXml();
            if (document.Elements().FirstOrDefault(e => e.Name.LocalName != "LocationConstraint") is { } other)
                throw S3Exception.NotImplemented($"The element '{other.Name.LocalName}' of CreateBucket");
            if (document.Elements().FirstOrDefault()?.Value is { Length: > 0 } constraint)
                region = constraint == "EU" ? "eu-west-1" : constraint;
        }

        store.CreateBucket(call.Bucket, region);
        call.Response.Headers.Location = "/" + call.Bucket;
        await call.AnswerAsync(200);
    }

    private Task HeadAsync(S3Call call)
    {
        call.Response.Headers["x-amz-bucket-region"] = store.GetBucket(call.Bucket).Settings.Region;
        return call.AnswerAsync(200);
    }

    private Task DeleteAsync(S3Call call)
    {
        store.DeleteBucket(call.Bucket);
        return call.AnswerAsync(204);
    }

    // A bucket in us-east-1 has a null location (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html).
    private Task GetLocationAsync(S3Call call) =>
        call.AnswerAsync(200, new XElement(Ns + "LocationConstraint", store.GetBucket(call.Bucket).Settings.Region is var region && region == "us-east-1" ? null : region));

    private Task GetVersioningAsync(S3Call call)
    {
        store.GetBucket(call.Bucket);
        return call.AnswerAsync(200, new XElement(Ns + "VersioningConfiguration"));
    }

    private Task GetAclAsync(S3Call call)
    {
        store.GetBucket(call.Bucket);
        XNamespace xsi = "http://www.w3.org/2001/XMLSchema-instance";
        var grantee = Owner("Grantee");
        grantee.Add(new XAttribute(XNamespace.Xmlns + "xsi", xsi), new XAttribute(xsi + "type", "CanonicalUser"));
        return call.AnswerAsync(200, new XElement(
            Ns + "AccessControlPolicy", Owner("Owner"), new XElement(Ns + "AccessControlList", new XElement(Ns + "Grant", grantee, new XElement(Ns + "Permission", "FULL_CONTROL")))));
    }

    private async Task PutCorsAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        var rules = Cors.Parse(await call.ReadXmlAsync());
        bucket.Change(settings => settings with { Cors = rules });
        await call.AnswerAsync(200);
    }

    private Task GetCorsAsync(S3Call call)
    {
        var rules = store.GetBucket(call.Bucket).Settings.Cors;
        return rules.Count > 0
            ? call.AnswerAsync(200, Cors.ToXml(rules))
            : throw new S3Exception("NoSuchCORSConfiguration", "The CORS configuration does not exist", 404) { Details = [new("BucketName", call.Bucket)] };
    }

    private Task DeleteCorsAsync(S3Call call)
    {
        store.GetBucket(call.Bucket).Change(settings => settings with { Cors = [] });
        return call.AnswerAsync(204);
    }

    private Task ListV1Async(S3Call call)
    {
        var (prefix, delimiter, marker) = (call.Query["prefix"] ?? "", call.Query["delimiter"] ?? "", call.Query["marker"] ?? "");
        var most = call.Number("max-keys", MaxKeys, 0, int.MaxValue);
        var encode = Encoding(call);
        // A marker that is itself a common prefix, as NextMarker may be, stands for everything under it.
        var isGroup = delimiter.Length > 0 && marker.EndsWith(delimiter, StringComparison.Ordinal) && marker.Length > prefix.Length && marker.StartsWith(prefix, StringComparison.Ordinal);
        var page = store.GetBucket(call.Bucket).List(new(prefix, delimiter, marker, isGroup, Math.Min(most, MaxKeys)));
        return call.AnswerAsync(200, new XElement(
            Ns + "ListBucketResult",
            new XElement(Ns + "Name", call.Bucket),
            new XElement(Ns + "Prefix", encode(prefix)),
            new XElement(Ns + "Marker", encode(marker)),
            page.IsTruncated && delimiter.Length > 0 ? new XElement(Ns + "NextMarker", encode(page.Last!)) : null,
            new XElement(Ns + "MaxKeys", most),
            delimiter.Length > 0 ? new XElement(Ns + "Delimiter", encode(delimiter)) : null,
            EncodingType(call),
            new XElement(Ns + "IsTruncated", page.IsTruncated),
            Contents(page, encode, withOwner: true)));
    }

    private Task ListV2Async(S3Call call)
    {
        if (call.Query["list-type"] != "2")
            throw S3Exception.InvalidArgument("list-type", call.Query["list-type"]!, "Invalid List Type specified in Request");
        var (prefix, delimiter, startAfter) = (call.Query["prefix"] ?? "", call.Query["delimiter"] ?? "", call.Query["start-after"] ?? "");
        var most = call.Number("max-keys", MaxKeys, 0, int.MaxValue);
        var encode = Encoding(call);
        var token = call.Query["continuation-token"];
        var (after, afterGroup) = token is null ? (startAfter, false) : ContinuationToken.Read(token);
        var page = store.GetBucket(call.Bucket).List(new(prefix, delimiter, after, afterGroup, Math.Min(most, MaxKeys)));
        var lastIsGroup = page.CommonPrefixes.Count > 0 && page.CommonPrefixes[^1] == page.Last;
        return call.AnswerAsync(200, new XElement(
            Ns + "ListBucketResult",
            new XElement(Ns + "Name", call.Bucket),
            new XElement(Ns + "Prefix", encode(prefix)),
            token is null ? null : new XElement(Ns + "ContinuationToken", token),
            page.IsTruncated ? new XElement(Ns + "NextContinuationToken", ContinuationToken.Write(page.Last!, lastIsGroup)) : null,
            startAfter.Length > 0 ? new XElement(Ns + "StartAfter", encode(startAfter)) : null,
            new XElement(Ns + "KeyCount", page.Objects.Count + page.CommonPrefixes.Count),
            new XElement(Ns + "MaxKeys", most),
            delimiter.Length > 0 ? new XElement(Ns + "Delimiter", encode(delimiter)) : null,
            EncodingType(call),
            new XElement(Ns + "IsTruncated", page.IsTruncated),
            Contents(page, encode, withOwner: call.Query["fetch-owner"] == "true")));
    }

    private static IEnumerable<XElement> Contents(ListPage page, Func<string, string> encode, bool withOwner) =>
        page.Objects.Select(o => o.Metadata).Select(o => new XElement(
            Ns + "Contents",
            new XElement(Ns + "Key", encode(o.Key)),
            new XElement(Ns + "LastModified", ObjectOperations.Iso(o.LastModified)),
            new XElement(Ns + "ETag", $"\"{o.ETag}\""),
            o.Checksum is null ? null : new XElement(Ns + "ChecksumAlgorithm", o.Checksum.Algorithm),
            o.Checksum is null ? null : new XElement(Ns + "ChecksumType", o.Checksum.Type),
            new XElement(Ns + "Size", o.Size),
            withOwner ? Owner("Owner") : null,
            new XElement(Ns + "StorageClass", "STANDARD")))
        .Concat(page.CommonPrefixes.Select(p => new XElement(Ns + "CommonPrefixes", new XElement(Ns + "Prefix", encode(p)))));

    /// <summary>Echoes the encoding that was asked for; null when none was.</summary>
    public static XElement? EncodingType(S3Call call) => call.Query["encoding-type"] is null ? null : new XElement(Ns + "EncodingType", "url");

    /// <summary>How keys are written in a listing: as they are, or percent-encoded with <c>encoding-type=url</c>.</summary>
    /// <exception cref="S3Exception"><c>InvalidArgument</c>.</exception>
    public static Func<string, string> Encoding(S3Call call) => call.Query["encoding-type"] switch
    {
        null => text => text,
        "url" => text => PresignedUrl.Encode(text, keepSlash: true),
        var other => throw S3Exception.InvalidArgument("encoding-type", other, "Invalid Encoding Method specified in Request"),
    };

    // The region a client signs for: .../YYYYMMDD/REGION/s3/aws4_request
    private static string? SigningRegion(S3Call call) =>
        call.Header("authorization") is { } header && header.Split('/') is { Length: >= 5 } scope && scope[2].Length > 0 ? scope[2] : null;
}

/// <summary>Where the next page begins, opaque to clients: base64url of <c>k</c> (a key) or <c>p</c> (a common prefix) and the text.</summary>
internal static class ContinuationToken
{
    public static string Write(string last, bool isCommonPrefix) =>
        System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes((isCommonPrefix ? "p" : "k") + last));

    /// <exception cref="S3Exception"><c>InvalidArgument</c>.</exception>
    public static (string Last, bool IsCommonPrefix) Read(string token)
    {
        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(System.Buffers.Text.Base64Url.DecodeFromChars(token));
            if (text.Length > 0 && text[0] is 'k' or 'p')
                return (text[1..], text[0] == 'p');
        }
        catch (Exception error) when (error is FormatException or ArgumentException)
        {
            throw S3Exception.InvalidArgument("continuation-token", token, "The continuation token provided is incorrect");
        }

        throw S3Exception.InvalidArgument("continuation-token", token, "The continuation token provided is incorrect");
    }
}
