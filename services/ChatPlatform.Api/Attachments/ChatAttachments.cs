using System.Globalization;
using System.Net;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.S3;
using Amazon.S3.Model;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Rooms;
using ChatPlatform.Contracts.Tables;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Attachments;

internal sealed record CreateAttachmentRequest(string? ContentType, long? Size, string? FileName);

/// <summary>How to upload: one request, with exactly these headers; anything else S3 refuses, because type, length and first write are signed.</summary>
internal sealed record AttachmentUpload(string AttachmentId, string UploadUrl, string Method, IReadOnlyDictionary<string, string> Headers, DateTimeOffset ExpiresAt);

/// <summary>
/// Files that messages name. The client uploads straight to S3 with a presigned PUT whose content type, length and <c>If-None-Match: *</c> are signed, so that S3 itself refuses another
/// type, another size and a second upload. What was asked for stands in <c>chat-users</c>, <c>attachment#ID</c> / <c>meta</c>, for a day; a message that names it within that day
/// carries type, size and name itself. Thread-safe.
/// </summary>
internal sealed class ChatAttachments(IAmazonS3 s3, IAmazonDynamoDB dynamo, RoomStore rooms, IOptions<AttachmentOptions> options, TimeProvider time)
{
    /// <summary>How many a message may name.</summary>
    public const int MaxPerMessage = 10;

    private const int MaxFileNameLength = 255;
    private static readonly TimeSpan NamedWithin = TimeSpan.FromDays(1);

    public async Task<AttachmentUpload> CreateAsync(string callerId, CreateAttachmentRequest request, CancellationToken cancellationToken)
    {
        var type = request.ContentType?.ToLowerInvariant();
        if (type is null || !AttachmentTypes.IsKnown(type))
            throw Refusals.Invalid("contentType", $"one of {AttachmentTypes.All}");
        var most = AttachmentTypes.IsImage(type) ? options.Value.MaxImageBytes : options.Value.MaxFileBytes;
        if (request.Size is not { } size || size < 1 || size > most)
            throw Refusals.Invalid("size", $"from 1 to {most} bytes for {type}");
        if (request.FileName is not { Length: > 0 and <= MaxFileNameLength } name || name.Any(c => char.IsControl(c) || c is '/' or '\\'))
            throw Refusals.Invalid("fileName", $"1 to {MaxFileNameLength} characters without control characters, '/' or '\\'");

        var id = Guid.CreateVersion7().ToString("N");
        var now = time.GetUtcNow();
        var item = Key(id);
        item["userId"] = Attributes.S(callerId);
        item["contentType"] = Attributes.S(type);
        item["size"] = Attributes.N(size);
        item["fileName"] = Attributes.S(name);
        item["expiresAt"] = Attributes.N((now + NamedWithin).ToUnixTimeSeconds());
        await dynamo.PutItemAsync(new PutItemRequest { TableName = ChatTables.Users.Name, Item = item }, cancellationToken);

        var expires = now + options.Value.UploadLifetime;
        var put = Presigned(id, HttpVerb.PUT, expires);
        put.ContentType = type;
        put.Headers.ContentLength = size;
        put.Headers["If-None-Match"] = "*";
        var headers = new Dictionary<string, string>
        {
            ["Content-Type"] = type,
            ["Content-Length"] = size.ToString(CultureInfo.InvariantCulture),
            ["If-None-Match"] = "*",
        };
        return new AttachmentUpload(id, await s3.GetPreSignedURLAsync(put), "PUT", headers, expires);
    }

    /// <summary>What a message is to carry for the ids it names: the caller's own uploads, each there in S3 as it was announced.</summary>
    /// <exception cref="ChatException"><c>invalid_attachmentIds</c>, <c>attachment_not_found</c>, <c>attachment_not_uploaded</c>.</exception>
    public async Task<IReadOnlyList<MessageAttachment>> ResolveAsync(string callerId, MessageKind kind, IReadOnlyList<string>? ids, CancellationToken cancellationToken)
    {
        if (ids is not { Count: > 0 })
            return kind == MessageKind.Image ? throw Refusals.Invalid("attachmentIds", $"1 to {MaxPerMessage} images for this kind") : [];
        if (kind is not (MessageKind.Image or MessageKind.Text))
            throw Refusals.Invalid("attachmentIds", "left out for this kind");
        if (ids.Count > MaxPerMessage || ids.Distinct(StringComparer.Ordinal).Count() != ids.Count)
            throw Refusals.Invalid("attachmentIds", $"at most {MaxPerMessage}, each once");

        var keys = ids.Select(id => Key(Checks.Id(id, "attachmentIds"))).ToList();
        var items = (await rooms.BatchGetAsync(ChatTables.Users.Name, keys, cancellationToken)).ToDictionary(item => item.Text("pk"));
        List<MessageAttachment> attachments = [];
        foreach (var id in ids)
        {
            // Another user's is as unknown as one that never was.
            if (!items.TryGetValue(Key(id).Text("pk"), out var item) || item.Text("userId") != callerId)
                throw Refusals.AttachmentNotFound();
            attachments.Add(new MessageAttachment(id, item.Text("contentType"), item.Number("size")) { FileName = item.TextOrNull("fileName") });
        }

        if (kind == MessageKind.Image && !attachments.TrueForAll(attachment => AttachmentTypes.IsImage(attachment.ContentType)))
            throw Refusals.Invalid("attachmentIds", "images for this kind; name other files in a text message");
        await Task.WhenAll(attachments.Select(attachment => EnsureUploadedAsync(attachment, cancellationToken)));
        return attachments;
    }

    /// <summary>The message with a presigned GET for each attachment: for its room's members, and for them only.</summary>
    public async ValueTask<Message> WithLinksAsync(Message message)
    {
        if (message.Attachments.Count == 0)
            return message;
        var linked = new List<MessageAttachment>(message.Attachments.Count);
        foreach (var attachment in message.Attachments)
            linked.Add(attachment with { Url = await LinkAsync(attachment) });
        return message with { Attachments = linked };
    }

    /// <inheritdoc cref="WithLinksAsync(Message)"/>
    public async ValueTask<Entry> WithLinksAsync(Entry entry) =>
        entry.Message is { Attachments.Count: > 0 } message ? entry with { Message = await WithLinksAsync(message) } : entry;

    private async Task EnsureUploadedAsync(MessageAttachment attachment, CancellationToken cancellationToken)
    {
        try
        {
            var uploaded = await s3.GetObjectMetadataAsync(options.Value.Bucket, ObjectKey(attachment.AttachmentId), cancellationToken);
            if (uploaded.ContentLength != attachment.Size)
                throw Refusals.AttachmentNotUploaded();
        }
        catch (AmazonS3Exception error) when (error.StatusCode == HttpStatusCode.NotFound)
        {
            throw Refusals.AttachmentNotUploaded();
        }
    }

    private Task<string> LinkAsync(MessageAttachment attachment)
    {
        var get = Presigned(attachment.AttachmentId, HttpVerb.GET, time.GetUtcNow() + options.Value.ReadLifetime);
        get.ResponseHeaderOverrides.ContentType = attachment.ContentType;
        var disposition = AttachmentTypes.IsImage(attachment.ContentType) ? "inline" : "attachment";
        // RFC 6266 §4.3: the name in UTF-8.
        get.ResponseHeaderOverrides.ContentDisposition = $"{disposition}; filename*=UTF-8''{Uri.EscapeDataString(attachment.FileName ?? attachment.AttachmentId)}";
        return s3.GetPreSignedURLAsync(get);
    }

    private GetPreSignedUrlRequest Presigned(string id, HttpVerb verb, DateTimeOffset expires) => new()
    {
        BucketName = options.Value.Bucket,
        Key = ObjectKey(id),
        Verb = verb,
        Expires = expires.UtcDateTime,
        Protocol = s3.Config.ServiceURL?.StartsWith("http://", StringComparison.OrdinalIgnoreCase) == true ? Protocol.HTTP : Protocol.HTTPS,
    };

    private static string ObjectKey(string id) => $"attachments/{id}";

    private static Dictionary<string, AttributeValue> Key(string id) => new() { ["pk"] = Attributes.S($"attachment#{id}"), ["sk"] = Attributes.S("meta") };
}
