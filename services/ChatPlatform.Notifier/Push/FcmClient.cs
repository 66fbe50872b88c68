using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChatPlatform.Notifier.Delivery;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Notifier.Push;

/// <summary>What one send came to.</summary>
internal enum PushOutcome
{
    Sent,

    /// <summary>The token belongs to no app any more: forget the device.</summary>
    Unregistered,

    /// <summary>The request itself is at fault; again would be the same.</summary>
    Refused,

    /// <summary>May pass: quota, FCM's own trouble, no answer, or a token of ours that is not accepted at the moment.</summary>
    Later,
}

/// <param name="Outcome">What to do.</param>
/// <param name="RetryAfter">With <see cref="PushOutcome.Later"/>, how long FCM asks to wait; null leaves it to the caller's backoff.</param>
/// <param name="Detail">FCM's error code or status, for logs.</param>
internal sealed record PushAnswer(PushOutcome Outcome, TimeSpan? RetryAfter = null, string? Detail = null);

/// <summary>
/// Sends one message to one device over FCM HTTP v1 and reads the answer by FCM's rules (https://firebase.google.com/docs/cloud-messaging/error-codes). Repeating is the caller's. Thread-safe.
/// </summary>
internal sealed class FcmClient(HttpClient http, IAccessTokenSource tokens, IOptions<FcmOptions> options, TimeProvider time)
{
    /// <summary>https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns</summary>
    private const int MaxApnsCollapseBytes = 64;

    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public async Task<PushAnswer> SendAsync(string token, MissedDelivery missed, long unread, CancellationToken cancellationToken)
    {
        try
        {
            var bearer = await tokens.GetAsync(cancellationToken);
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/projects/{options.Value.ProjectId}/messages:send");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
            request.Content = new ReadOnlyMemoryContent(Body(token, missed, unread)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var answer = await http.SendAsync(request, cancellationToken);
            if (answer.StatusCode == HttpStatusCode.Unauthorized)
                tokens.Refused(bearer);
            return await JudgeAsync(answer, cancellationToken);
        }
        catch (HttpRequestException error)
        {
            return new PushAnswer(PushOutcome.Later, Detail: error.StatusCode is null ? error.HttpRequestError.ToString() : error.Message);
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new PushAnswer(PushOutcome.Later, Detail: "no answer in time");
        }
    }

    private async Task<PushAnswer> JudgeAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (answer.IsSuccessStatusCode)
            return new PushAnswer(PushOutcome.Sent);
        var code = await ErrorCodeAsync(answer, cancellationToken);
        var after = answer.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date > time.GetUtcNow() ? date - time.GetUtcNow() : TimeSpan.Zero,
            _ => (TimeSpan?)null,
        };
        var detail = $"{(int)answer.StatusCode} {code}";
        return answer.StatusCode switch
        {
            HttpStatusCode.NotFound when code == "UNREGISTERED" => new PushAnswer(PushOutcome.Unregistered, Detail: detail),
            HttpStatusCode.TooManyRequests => new PushAnswer(PushOutcome.Later, after ?? TimeSpan.FromSeconds(options.Value.QuotaPauseSeconds), detail),
            // About the device's app, not about us: it stays so.
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden when code is "SENDER_ID_MISMATCH" or "THIRD_PARTY_AUTH_ERROR" => new PushAnswer(PushOutcome.Refused, Detail: detail),
            // An access token that expired or was not allowed yet is put right without a new message.
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new PushAnswer(PushOutcome.Later, after, detail),
            >= HttpStatusCode.InternalServerError => new PushAnswer(PushOutcome.Later, after, detail),
            _ => new PushAnswer(PushOutcome.Refused, Detail: detail),
        };
    }

    /// <summary><c>error.details[].errorCode</c>, else <c>error.status</c>.</summary>
    private static async Task<string?> ErrorCodeAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        try
        {
            using var body = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellationToken));
            if (body.RootElement.ValueKind != JsonValueKind.Object || !body.RootElement.TryGetProperty("error", out var error) || error.ValueKind != JsonValueKind.Object)
                return null;
            if (error.TryGetProperty("details", out var details) && details.ValueKind == JsonValueKind.Array)
            {
                foreach (var detail in details.EnumerateArray())
                {
                    if (detail.ValueKind == JsonValueKind.Object && detail.TryGetProperty("errorCode", out var code))
                        return code.GetString();
                }
            }

            return error.TryGetProperty("status", out var status) ? status.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static ReadOnlyMemory<byte> Body(string token, MissedDelivery missed, long unread)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(buffer, Readable);
        json.WriteStartObject();
        json.WriteStartObject("message"u8);
        json.WriteString("token"u8, token);
        json.WriteStartObject("notification"u8);
        json.WriteString("title"u8, missed.SenderId);
        json.WriteString("body"u8, missed.Preview);
        json.WriteEndObject();
        json.WriteStartObject("data"u8);
        json.WriteString("roomId"u8, missed.RoomId);
        json.WriteString("seq"u8, missed.Seq.ToString(System.Globalization.CultureInfo.InvariantCulture));
        json.WriteString("badge"u8, unread.ToString(System.Globalization.CultureInfo.InvariantCulture));
        json.WriteEndObject();
        json.WriteStartObject("android"u8);
        // A device that was away sees one notification a room, the latest.
        json.WriteString("collapse_key"u8, missed.RoomId);
        json.WriteString("priority"u8, "HIGH"u8);
        json.WriteStartObject("notification"u8);
        json.WriteString("tag"u8, missed.RoomId);
        json.WriteNumber("notification_count"u8, unread);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartObject("apns"u8);
        if (System.Text.Encoding.UTF8.GetByteCount(missed.RoomId) <= MaxApnsCollapseBytes)
        {
            json.WriteStartObject("headers"u8);
            json.WriteString("apns-collapse-id"u8, missed.RoomId);
            json.WriteEndObject();
        }

        json.WriteStartObject("payload"u8);
        json.WriteStartObject("aps"u8);
        json.WriteNumber("badge"u8, unread);
        json.WriteString("thread-id"u8, missed.RoomId);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }
}
