using System.Globalization;
using System.Security.Cryptography;
using System.Xml.Linq;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>Multipart uploads (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html). Thread-safe.</summary>
internal sealed class MultipartOperations(ObjectStore store, ObjectOperations objects, TimeProvider time)
{
    private const int MaxParts = 10_000;
    private const long MinPartBytes = 5 * 1024 * 1024;
    private const long MaxObjectBytes = 5L * 1024 * 1024 * 1024 * 1024;
    private const int MaxListedParts = 1_000;
    private const int MaxListedUploads = 1_000;
    private static readonly XNamespace Ns = S3Call.Namespace;

    public IEnumerable<S3Operation> All =>
    [
        new("CreateMultipartUpload", "POST", S3Scope.Object, ["uploads"], CreateAsync)
        {
            Headers = [.. ObjectOperations.DefaultedHeaders, "x-amz-checksum-algorithm", "x-amz-checksum-type"],
            TakesMetadata = true,
        },
        new("UploadPart", "PUT", S3Scope.Object, ["partNumber", "uploadId"], UploadPartAsync),
        new("UploadPartCopy", "PUT", S3Scope.Object, ["partNumber", "uploadId"], CopyPartAsync)
        {
            SelectingHeader = "x-amz-copy-source",
            Headers = ["x-amz-copy-source-range", .. ObjectOperations.CopyConditions],
        },
        new("CompleteMultipartUpload", "POST", S3Scope.Object, ["uploadId"], CompleteAsync) { Headers = ["x-amz-checksum-type", "x-amz-mp-object-size"] },
        new("AbortMultipartUpload", "DELETE", S3Scope.Object, ["uploadId"], AbortAsync),
        new("ListParts", "GET", S3Scope.Object, ["uploadId"], ListPartsAsync) { Parameters = ["max-parts", "part-number-marker"] },
        new("ListMultipartUploads", "GET", S3Scope.Bucket, ["uploads"], ListUploadsAsync) { Parameters = ["prefix", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"] },
    ];

    private Task CreateAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        ObjectOperations.CheckDefaults(call);
        var algorithm = IncomingBody.Algorithm(call.Header("x-amz-checksum-algorithm"));
        var type = call.Header("x-amz-checksum-type") ?? (algorithm is null or ChecksumAlgorithms.Crc64Nvme ? ObjectChecksum.FullObject : ObjectChecksum.Composite);
        if (!IsAllowed(algorithm, type))
            throw S3Exception.InvalidRequest($"The {type} checksum type cannot be used with the {algorithm ?? "default"} checksum algorithm.");
        var upload = new UploadSettings(Guid.NewGuid().ToString("N"), call.Key, time.GetUtcNow(), ObjectOperations.HeadersOf(call), algorithm, type);
        bucket.StartUpload(upload);
        if (algorithm is not null)
        {
            call.Response.Headers["x-amz-checksum-algorithm"] = algorithm;
            call.Response.Headers["x-amz-checksum-type"] = type;
        }

        return call.AnswerAsync(200, new XElement(
            Ns + "InitiateMultipartUploadResult", new XElement(Ns + "Bucket", call.Bucket), new XElement(Ns + "Key", call.Key), new XElement(Ns + "UploadId", upload.Id)));
    }

    private async Task UploadPartAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        var (id, number) = PartOf(call);
        var upload = bucket.GetUpload(call.Key, id);
        if (IncomingBody.GivenChecksum(call).Algorithm is { } given && upload.ChecksumAlgorithm is { } agreed && given != agreed)
            throw S3Exception.InvalidRequest($"Checksum Type mismatch occurred, expected checksum Type: {agreed.ToLowerInvariant()}, actual checksum Type: {given.ToLowerInvariant()}");
        await using var staged = store.Stage();
        var checksum = await IncomingBody.ReceiveAsync(call, staged, ObjectOperations.MaxPutBytes, upload.ChecksumAlgorithm);
        var part = bucket.PutPart(call.Key, id, number, staged, checksum);
        call.Response.Headers.ETag = $"\"{part.ETag}\"";
        if (checksum is not null)
            call.Response.Headers[ChecksumAlgorithms.Header(checksum.Algorithm)] = checksum.Value;
        await call.AnswerAsync(200);
    }

    private async Task CopyPartAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        var (id, number) = PartOf(call);
        var upload = bucket.GetUpload(call.Key, id);
        await using var staged = store.Stage();
        if (upload.ChecksumAlgorithm is { } algorithm)
            staged.Track(algorithm);
        var (_, bytes) = objects.OpenCopySource(call, call.Header("x-amz-copy-source-range"));
        await using (bytes)
            await IncomingBody.CopyAsync(bytes, staged, ObjectOperations.MaxPutBytes, call.Aborted);
        var checksum = upload.ChecksumAlgorithm is null ? null : new ObjectChecksum(upload.ChecksumAlgorithm, staged.ChecksumOf(upload.ChecksumAlgorithm), ObjectChecksum.FullObject);
        await call.AnswerAsync(200, ObjectOperations.CopyResult("CopyPartResult", bucket.PutPart(call.Key, id, number, staged, checksum)));
    }

    private async Task CompleteAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        var id = call.Query["uploadId"]!;
        var upload = bucket.GetUpload(call.Key, id);
        // The checksum headers of this request speak of the object, not of the document in its body.
        var (givenAlgorithm, given) = IncomingBody.GivenChecksum(call);
        foreach (var algorithm in ChecksumAlgorithms.All)
            call.Request.Headers.Remove(ChecksumAlgorithms.Header(algorithm));
        var parts = Chosen(await call.ReadXmlAsync(), bucket.GetParts(call.Key, id));
        if (call.Header("x-amz-checksum-type") is { } type && type != upload.ChecksumType)
            throw S3Exception.InvalidRequest($"The upload was created using the {upload.ChecksumType} checksum mode. The complete request must use the same checksum mode.");

        await using var staged = store.Stage();
        var stored = upload.ChecksumAlgorithm ?? ChecksumAlgorithms.Crc64Nvme;
        if (upload.ChecksumType == ObjectChecksum.FullObject)
            staged.Track(stored);
        foreach (var part in parts)
        {
            await using var bytes = part.Content.OpenRead(0, part.Content.Length);
            await IncomingBody.CopyAsync(bytes, staged, MaxObjectBytes, call.Aborted);
        }

        if (call.Header("x-amz-mp-object-size") is { } size && size != staged.Length.ToString(CultureInfo.InvariantCulture))
            throw S3Exception.InvalidRequest($"The provided 'x-amz-mp-object-size' header value {size} does not match what was computed: {staged.Length}");
        var checksum = upload.ChecksumType == ObjectChecksum.FullObject
            ? new ObjectChecksum(stored, staged.ChecksumOf(stored), ObjectChecksum.FullObject)
            : new ObjectChecksum(stored, Composite(stored, parts), ObjectChecksum.Composite);
        if (given is not null && (givenAlgorithm != stored || given != checksum.Value))
            throw S3Exception.BadDigest(givenAlgorithm!);
        var metadata = bucket.CompleteUpload(call.Key, id, staged, ETagOf(parts), checksum, ObjectOperations.ConditionOf(call));
        await call.AnswerAsync(200, new XElement(
            Ns + "CompleteMultipartUploadResult",
            new XElement(Ns + "Location", $"{call.Request.Scheme}://{call.Request.Host}{call.Path}"),
            new XElement(Ns + "Bucket", call.Bucket),
            new XElement(Ns + "Key", call.Key),
            new XElement(Ns + "ETag", $"\"{metadata.ETag}\""),
            new XElement(Ns + ("Checksum" + checksum.Algorithm), checksum.Value),
            new XElement(Ns + "ChecksumType", checksum.Type)));
    }

    private Task AbortAsync(S3Call call)
    {
        store.GetBucket(call.Bucket).AbortUpload(call.Key, call.Query["uploadId"]!);
        return call.AnswerAsync(204);
    }

    private Task ListPartsAsync(S3Call call)
    {
        var bucket = store.GetBucket(call.Bucket);
        var id = call.Query["uploadId"]!;
        var (most, marker) = (Math.Min(call.Number("max-parts", MaxListedParts, 0, int.MaxValue), MaxListedParts), call.Number("part-number-marker", 0, 0, int.MaxValue));
        var upload = bucket.GetUpload(call.Key, id);
        var behind = bucket.GetParts(call.Key, id).Select(p => p.Metadata).Where(p => p.PartNumber > marker).ToArray();
        var page = behind[..Math.Min(most, behind.Length)];
        return call.AnswerAsync(200, new XElement(
            Ns + "ListPartsResult",
            new XElement(Ns + "Bucket", call.Bucket),
            new XElement(Ns + "Key", call.Key),
            new XElement(Ns + "UploadId", id),
            new XElement(Ns + "PartNumberMarker", marker),
            new XElement(Ns + "NextPartNumberMarker", page.Length > 0 ? page[^1].PartNumber : 0),
            new XElement(Ns + "MaxParts", most),
            new XElement(Ns + "IsTruncated", page.Length < behind.Length),
            upload.ChecksumAlgorithm is null ? null : new XElement(Ns + "ChecksumAlgorithm", upload.ChecksumAlgorithm),
            upload.ChecksumAlgorithm is null ? null : new XElement(Ns + "ChecksumType", upload.ChecksumType),
            page.Select(p => new XElement(
                Ns + "Part",
                new XElement(Ns + "PartNumber", p.PartNumber),
                new XElement(Ns + "LastModified", ObjectOperations.Iso(p.LastModified)),
                new XElement(Ns + "ETag", $"\"{p.ETag}\""),
                new XElement(Ns + "Size", p.Size),
                p.Checksum is null ? null : new XElement(Ns + ("Checksum" + p.Checksum.Algorithm), p.Checksum.Value))),
            new XElement(Ns + "StorageClass", "STANDARD")));
    }

    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html; an id's marker counts only beside a key's.
    private Task ListUploadsAsync(S3Call call)
    {
        var most = Math.Min(call.Number("max-uploads", MaxListedUploads, 0, int.MaxValue), MaxListedUploads);
        var (prefix, keyMarker, idMarker) = (call.Query["prefix"] ?? "", call.Query["key-marker"] ?? "", call.Query["upload-id-marker"] ?? "");
        var encode = BucketOperations.Encoding(call);
        var behind = store.GetBucket(call.Bucket).GetUploads().Where(u => u.Key.StartsWith(prefix, StringComparison.Ordinal) && IsBehind(u)).ToArray();
        var page = behind[..Math.Min(most, behind.Length)];
        var isTruncated = page.Length > 0 && page.Length < behind.Length;
        return call.AnswerAsync(200, new XElement(
            Ns + "ListMultipartUploadsResult",
            new XElement(Ns + "Bucket", call.Bucket),
            new XElement(Ns + "KeyMarker", encode(keyMarker)),
            new XElement(Ns + "UploadIdMarker", idMarker),
            isTruncated ? new XElement(Ns + "NextKeyMarker", encode(page[^1].Key)) : null,
            isTruncated ? new XElement(Ns + "NextUploadIdMarker", page[^1].Id) : null,
            new XElement(Ns + "Prefix", encode(prefix)),
            BucketOperations.EncodingType(call),
            new XElement(Ns + "MaxUploads", most),
            new XElement(Ns + "IsTruncated", isTruncated),
            page.Select(u => new XElement(
                Ns + "Upload",
                new XElement(Ns + "Key", encode(u.Key)),
                new XElement(Ns + "UploadId", u.Id),
                BucketOperations.Owner("Initiator"),
                BucketOperations.Owner("Owner"),
                new XElement(Ns + "StorageClass", "STANDARD"),
                new XElement(Ns + "Initiated", ObjectOperations.Iso(u.Initiated)),
                u.ChecksumAlgorithm is null ? null : new XElement(Ns + "ChecksumAlgorithm", u.ChecksumAlgorithm),
                u.ChecksumAlgorithm is null ? null : new XElement(Ns + "ChecksumType", u.ChecksumType)))));

        bool IsBehind(UploadSettings upload)
        {
            var order = KeyOrder.Utf8.Compare(upload.Key, keyMarker);
            return keyMarker.Length == 0 || order > 0 || (order == 0 && idMarker.Length > 0 && string.CompareOrdinal(upload.Id, idMarker) > 0);
        }
    }

    // Composite does not exist for CRC64NVME, the whole object's value not for the SHAs
    // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
    private static bool IsAllowed(string? algorithm, string type) => type switch
    {
        ObjectChecksum.FullObject => algorithm is not (ChecksumAlgorithms.Sha1 or ChecksumAlgorithms.Sha256),
        ObjectChecksum.Composite => algorithm is not (null or ChecksumAlgorithms.Crc64Nvme),
        _ => false,
    };

    private static List<StoredObject> Chosen(XElement? document, IReadOnlyList<StoredObject> uploaded)
    {
        var named = document?.Elements().Where(e => e.Name.LocalName == "Part").ToArray() ?? [];
        if (document?.Name.LocalName != "CompleteMultipartUpload" || named.Length is 0 or > MaxParts)
            throw S3Exception.MalformedXml();
        var chosen = new List<StoredObject>(named.Length);
        foreach (var element in named)
        {
            if (!int.TryParse(ObjectOperations.Child(element, "PartNumber"), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                throw S3Exception.MalformedXml();
            if (chosen.Count > 0 && number <= chosen[^1].Metadata.PartNumber)
                throw new S3Exception("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.", 400);
            var part = uploaded.FirstOrDefault(p => p.Metadata.PartNumber == number);
            var checksumsMatch = ChecksumAlgorithms.All.All(a =>
                ObjectOperations.Child(element, "Checksum" + a) is not { Length: > 0 } value || part?.Metadata.Checksum is not { } own || own.Algorithm != a || own.Value == value);
            if (part is null || ObjectOperations.Child(element, "ETag")?.Trim('"') != part.Metadata.ETag || !checksumsMatch)
                throw new S3Exception("InvalidPart", "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.", 400)
                {
                    Details = [new("PartNumber", number.ToString(CultureInfo.InvariantCulture))],
                };
            chosen.Add(part);
        }

        if (chosen.SkipLast(1).FirstOrDefault(p => p.Metadata.Size < MinPartBytes) is { } small)
            throw new S3Exception("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400)
            {
                Details = [new("ProposedSize", small.Metadata.Size.ToString(CultureInfo.InvariantCulture)), new("PartNumber", small.Metadata.PartNumber.ToString(CultureInfo.InvariantCulture))],
            };
        return chosen;
    }

    private static string ETagOf(List<StoredObject> parts) =>
        $"{Convert.ToHexStringLower(MD5.HashData(parts.SelectMany(p => Convert.FromHexString(p.Metadata.ETag)).ToArray()))}-{parts.Count}";

    private static string Composite(string algorithm, List<StoredObject> parts)
    {
        if (parts.Exists(p => p.Metadata.Checksum?.Algorithm != algorithm))
            throw S3Exception.InvalidRequest($"The upload was created using a {algorithm.ToLowerInvariant()} checksum. The complete request must include the checksum for each part.");
        return $"{Checksum.Of(algorithm, parts.SelectMany(p => Convert.FromBase64String(p.Metadata.Checksum!.Value)).ToArray())}-{parts.Count}";
    }

    private static (string UploadId, int Number) PartOf(S3Call call)
    {
        var text = call.Query["partNumber"]!;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > MaxParts)
            throw S3Exception.InvalidArgument("partNumber", text, $"Part number must be an integer between 1 and {MaxParts}, inclusive");
        return (call.Query["uploadId"]!, number);
    }
}
