using System.Text;

namespace ChatPlatform.CdcLambda;

/// <summary>A setting of the function is missing or wrong; the message names it and says what is allowed.</summary>
internal sealed class InvalidSettingException(string message) : Exception(message);

/// <summary>
/// Everything the function is told, from environment variables only, so that one build serves every table.
/// <list type="table">
/// <item><term>DELIVERY_STREAM</term><description>Required: the Firehose delivery stream's name.</description></item>
/// <item><term>DROP_FIELDS</term><description>Comma list of top-level attributes that never leave (secrets). Case-sensitive, as DynamoDB's names are.</description></item>
/// <item><term>DROP_KINDS</term><description>Comma list of item kinds that leave no line, e.g. <c>dedupe</c>.</description></item>
/// <item><term>KIND_FIELD</term><description>
/// The top-level string attribute that tells an item's kind, <c>kind</c> by default. The kind is its value up to the first <c>#</c>, so that a
/// single-table key such as <c>dedupe#room#user</c> works with <c>KIND_FIELD=pk</c>.</description></item>
/// <item><term>AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN</term><description>Given by Lambda.</description></item>
/// <item><term>AWS_ENDPOINT_URL_FIREHOSE, AWS_ENDPOINT_URL</term><description>Where Firehose is, if not at AWS
/// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html); the first one wins.</description></item>
/// </list>
/// </summary>
internal sealed record CdcSettings
{
    public required string DeliveryStream { get; init; }

    /// <summary>Names in UTF-8, ready to be compared with the event's bytes.</summary>
    public byte[][] DropFields { get; init; } = [];

    public byte[][] DropKinds { get; init; } = [];

    public byte[] KindField { get; init; } = "kind"u8.ToArray();

    public required Uri FirehoseEndpoint { get; init; }

    public required string Region { get; init; }

    public required string AccessKeyId { get; init; }

    public required string SecretAccessKey { get; init; }

    public string? SessionToken { get; init; }

    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is missing or wrong.</exception>
    public static CdcSettings Read(Func<string, string?> variable)
    {
        var stream = Required("DELIVERY_STREAM", "the name of a Firehose delivery stream: 1 to 64 of a-z, A-Z, 0-9, '_', '.' and '-'");
        if (stream.Length > 64 || stream.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"))
            throw new InvalidSettingException($"DELIVERY_STREAM is '{stream}'; it must be 1 to 64 of a-z, A-Z, 0-9, '_', '.' and '-'.");

        var region = variable("AWS_REGION") is { Length: > 0 } given ? given : Required("AWS_DEFAULT_REGION", "a region such as ap-northeast-2 (or set AWS_REGION)");
        var (name, url) = ("AWS_ENDPOINT_URL_FIREHOSE", variable("AWS_ENDPOINT_URL_FIREHOSE"));
        if (string.IsNullOrEmpty(url))
            (name, url) = ("AWS_ENDPOINT_URL", variable("AWS_ENDPOINT_URL"));
        if (string.IsNullOrEmpty(url))
            url = $"https://firehose.{region}.amazonaws.com";
        if (!Uri.TryCreate(url, UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https"))
            throw new InvalidSettingException($"{name} is '{url}'; it must be an absolute http or https URL.");

        return new CdcSettings
        {
            DeliveryStream = stream,
            DropFields = List("DROP_FIELDS"),
            DropKinds = List("DROP_KINDS"),
            KindField = Encoding.UTF8.GetBytes(variable("KIND_FIELD") is { Length: > 0 } kind ? kind : "kind"),
            Region = region,
            FirehoseEndpoint = endpoint,
            AccessKeyId = Required("AWS_ACCESS_KEY_ID", "an access key id"),
            SecretAccessKey = Required("AWS_SECRET_ACCESS_KEY", "a secret access key"),
            SessionToken = variable("AWS_SESSION_TOKEN") is { Length: > 0 } token ? token : null,
        };

        string Required(string name, string what) =>
            variable(name) is { Length: > 0 } value ? value : throw new InvalidSettingException($"{name} is not set; it must be {what}.");

        byte[][] List(string name) =>
            [.. (variable(name) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Encoding.UTF8.GetBytes)];
    }
}
