using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace ChatPlatform.CdcLambda.Delivery;

/// <summary>
/// AWS Signature Version 4 for a POST to <c>/</c> without a query, which is all that an AWS JSON protocol needs
/// (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html). Thread-safe.
/// </summary>
internal sealed class SigV4(string accessKeyId, string secretAccessKey, string? sessionToken, string region, string service)
{
    /// <summary>Adds <c>X-Amz-Target</c>, <c>X-Amz-Date</c>, the session token and <c>Authorization</c>. The content type is signed too.</summary>
    public void Sign(HttpRequestMessage request, string target, ReadOnlySpan<byte> body, DateTimeOffset now)
    {
        var date = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var uri = request.RequestUri!;
        request.Headers.TryAddWithoutValidation("X-Amz-Target", target);
        request.Headers.TryAddWithoutValidation("X-Amz-Date", date);
        if (sessionToken is not null)
            request.Headers.TryAddWithoutValidation("X-Amz-Security-Token", sessionToken);

        // In the order of their names, as the canonical request wants them.
        var headers = new List<(string Name, string Value)>
        {
            ("content-type", request.Content!.Headers.ContentType!.ToString()),
            ("host", uri.IsDefaultPort ? uri.Host : $"{uri.Host}:{uri.Port}"),
            ("x-amz-date", date),
        };
        if (sessionToken is not null)
            headers.Add(("x-amz-security-token", sessionToken));
        headers.Add(("x-amz-target", target));

        request.Headers.TryAddWithoutValidation("Authorization", Authorization("POST", "", headers, body, date));
    }

    /// <summary>The value of <c>Authorization</c>. <paramref name="headers"/> are sorted by their lower-case names; <paramref name="query"/> is canonical already.</summary>
    internal string Authorization(string method, string query, List<(string Name, string Value)> headers, ReadOnlySpan<byte> body, string date)
    {
        var names = string.Join(';', headers.Select(h => h.Name));
        var canonical = new StringBuilder().Append(method).Append("\n/\n").Append(query).Append('\n');
        foreach (var (name, value) in headers)
            canonical.Append(name).Append(':').Append(value.Trim()).Append('\n');
        canonical.Append('\n').Append(names).Append('\n').Append(Hex(SHA256.HashData(body)));

        var scope = $"{date[..8]}/{region}/{service}/aws4_request";
        var toSign = $"AWS4-HMAC-SHA256\n{date}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical.ToString())))}";
        var key = Encoding.UTF8.GetBytes("AWS4" + secretAccessKey);
        foreach (var part in (ReadOnlySpan<string>)[date[..8], region, service, "aws4_request", toSign])
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        return $"AWS4-HMAC-SHA256 Credential={accessKeyId}/{scope}, SignedHeaders={names}, Signature={Hex(key)}";
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
