using System.Text;
using System.Text.Json;

namespace ChatPlatform.FcmEmulator;

/// <summary>What FCM accepts as a message (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages), as far as this emulator sends: to one token. What it does not do it refuses.</summary>
internal static class MessageRules
{
    /// <summary>"Maximum payload for messages is 4096 bytes" (https://firebase.google.com/docs/cloud-messaging/send-message).</summary>
    private const int MaxPayloadBytes = 4096;

    private static readonly Dictionary<string, string[]> Known = new()
    {
        [""] = ["validate_only", "message"],
        ["message"] = ["name", "data", "notification", "android", "webpush", "apns", "fcm_options", "token", "topic", "condition"],
        ["message.notification"] = ["title", "body", "image"],
        ["message.android"] =
            ["collapse_key", "priority", "ttl", "restricted_package_name", "data", "notification", "fcm_options", "direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok"],
        ["message.android.notification"] =
        [
            "title", "body", "icon", "color", "sound", "tag", "click_action", "body_loc_key", "body_loc_args", "title_loc_key", "title_loc_args", "channel_id", "ticker", "sticky", "event_time",
            "local_only", "notification_priority", "default_sound", "default_vibrate_timings", "default_light_settings", "vibrate_timings", "visibility", "notification_count", "light_settings",
            "image", "bypass_proxy_notification", "proxy",
        ],
        ["message.apns"] = ["headers", "payload", "fcm_options", "live_activity_token"],
        ["message.webpush"] = ["headers", "data", "notification", "fcm_options"],
    };

    /// <summary>Words that FCM reserves in data (https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type).</summary>
    private static readonly string[] ReservedData = ["from", "message_type"];

    /// <returns>The token, or what is wrong.</returns>
    public static (string? Token, bool ValidateOnly, FcmError? Error) Check(JsonElement request)
    {
        if (request.ValueKind != JsonValueKind.Object)
            return Wrong("Invalid JSON payload received. Root element must be a message.");
        if (Unknown(request, "") is { } unknown)
            return (null, false, unknown);
        if (!request.TryGetProperty("message", out var message) || message.ValueKind != JsonValueKind.Object)
            return Wrong("Message is required.", "message");
        var validateOnly = request.TryGetProperty("validate_only", out var only) && only.ValueKind == JsonValueKind.True;
        if (Unknown(message, "message") is { } unknownInMessage)
            return (null, false, unknownInMessage);

        var targets = new[] { "token", "topic", "condition" }.Where(t => message.TryGetProperty(t, out _)).ToList();
        if (targets.Count != 1)
            return Wrong(targets.Count == 0 ? "Recipient of the message is not set." : "Exactly one of token, topic or condition is required.", "message");
        if (targets[0] != "token")
            return (null, false, new FcmError(501, "UNIMPLEMENTED", null, $"This emulator sends to a token only, not to a {targets[0]}.", "message." + targets[0]));
        if (Text(message, "token") is not { Length: > 0 and <= 4096 } token)
            return Wrong("The registration token is not a valid FCM registration token", "message.token");

        if (message.TryGetProperty("notification", out var notification) && CheckObject(notification, "message.notification") is { } notificationError)
            return (null, false, notificationError);
        if (message.TryGetProperty("data", out var data) && CheckData(data, "message.data") is { } dataError)
            return (null, false, dataError);
        if (message.TryGetProperty("android", out var android) && CheckAndroid(android) is { } androidError)
            return (null, false, androidError);
        if (message.TryGetProperty("apns", out var apns) && apns.ValueKind == JsonValueKind.Object)
        {
            if (apns.TryGetProperty("headers", out var headers) && CheckTexts(headers, "message.apns.headers") is { } headersError)
                return (null, false, headersError);
            if (apns.TryGetProperty("payload", out var aps) && CheckKind(aps, "message.apns.payload") is { } apsError)
                return (null, false, apsError);
        }

        foreach (var platform in (string[])["apns", "webpush"])
        {
            if (message.TryGetProperty(platform, out var settings) && (CheckKind(settings, "message." + platform) ?? Unknown(settings, "message." + platform)) is { } error)
                return (null, false, error);
        }

        var payload = (message.TryGetProperty("notification", out notification) ? Size(notification) : 0) + (message.TryGetProperty("data", out data) ? Size(data) : 0);
        return payload > MaxPayloadBytes ? Wrong($"Message is too big: {payload} bytes; the limit is {MaxPayloadBytes}.", "message") : (token, validateOnly, null);
    }

    private static FcmError? CheckAndroid(JsonElement android)
    {
        if ((CheckKind(android, "message.android") ?? Unknown(android, "message.android")) is { } error)
            return error;
        if (android.TryGetProperty("collapse_key", out var collapse) && collapse.ValueKind != JsonValueKind.String)
            return NotText("message.android.collapse_key");
        if (android.TryGetProperty("priority", out var priority) && Text(android, "priority")?.ToUpperInvariant() is not ("NORMAL" or "HIGH"))
            return FcmError.Invalid($"Invalid value at 'message.android.priority' (type.googleapis.com/google.firebase.fcm.v1.AndroidMessagePriority), {priority.GetRawText()}", "message.android.priority");
        if (android.TryGetProperty("ttl", out var ttl) && !(ttl.ValueKind == JsonValueKind.String && ttl.GetString() is { } text && text.EndsWith('s')
            && double.TryParse(text[..^1], System.Globalization.NumberStyles.AllowDecimalPoint, System.Globalization.CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0 and <= 2_419_200))
            return FcmError.Invalid("Invalid value at 'message.android.ttl': a duration from 0s to 2419200s.", "message.android.ttl");
        if (android.TryGetProperty("notification", out var notification))
        {
            const string Path = "message.android.notification";
            if ((CheckKind(notification, Path) ?? Unknown(notification, Path)) is { } inNotification)
                return inNotification;
            if (notification.TryGetProperty("notification_count", out var count) && !(count.ValueKind == JsonValueKind.Number && count.TryGetInt32(out var number) && number >= 0))
                return FcmError.Invalid($"Invalid value at '{Path}.notification_count' (TYPE_INT32), {count.GetRawText()}", Path + ".notification_count");
        }

        return android.TryGetProperty("data", out var data) ? CheckData(data, "message.android.data") : null;
    }

    private static FcmError? CheckData(JsonElement data, string path)
    {
        if (CheckKind(data, path) is { } error)
            return error;
        foreach (var pair in data.EnumerateObject())
        {
            if (pair.Value.ValueKind != JsonValueKind.String)
                return NotText($"{path}[{pair.Name}].value");
            if (ReservedData.Contains(pair.Name) || pair.Name.StartsWith("google.", StringComparison.Ordinal) || pair.Name.StartsWith("gcm.", StringComparison.Ordinal))
                return FcmError.Invalid($"Invalid data payload key: {pair.Name}", path);
        }

        return null;
    }

    /// <summary>A message whose fields are all known, and strings.</summary>
    private static FcmError? CheckObject(JsonElement value, string path) => CheckKind(value, path) ?? Unknown(value, path) ?? CheckTexts(value, path);

    private static FcmError? CheckTexts(JsonElement value, string path)
    {
        if (CheckKind(value, path) is { } error)
            return error;
        foreach (var pair in value.EnumerateObject())
        {
            if (pair.Value.ValueKind != JsonValueKind.String)
                return NotText($"{path}.{pair.Name}");
        }

        return null;
    }

    private static FcmError? CheckKind(JsonElement value, string path) =>
        value.ValueKind == JsonValueKind.Object ? null : FcmError.Invalid($"Invalid value at '{path}', {value.GetRawText()}", path);

    private static FcmError? Unknown(JsonElement value, string path)
    {
        foreach (var pair in value.EnumerateObject())
        {
            if (!Known[path].Contains(pair.Name))
                return new FcmError(400, "INVALID_ARGUMENT", null, $"Invalid JSON payload received. Unknown name \"{pair.Name}\"{(path.Length == 0 ? "" : $" at '{path}'")}: Cannot find field.", path);
        }

        return null;
    }

    private static FcmError NotText(string path) => new(400, "INVALID_ARGUMENT", null, $"Invalid value at '{path}' (TYPE_STRING)", path);

    private static string? Text(JsonElement value, string name) => value.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static int Size(JsonElement values) =>
        values.EnumerateObject().Sum(pair => Encoding.UTF8.GetByteCount(pair.Name) + Encoding.UTF8.GetByteCount(pair.Value.GetString() ?? ""));

    private static (string?, bool, FcmError?) Wrong(string message, string? field = null) => (null, false, FcmError.Invalid(message, field));
}
