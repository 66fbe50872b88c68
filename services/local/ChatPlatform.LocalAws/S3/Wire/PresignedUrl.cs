using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>The keys presigned URLs and signed chunks must be signed with. Without a secret only form and expiry can be checked. Thread-safe.</summary>
internal sealed record SigningCredentials(string? AccessKeyId, string? SecretAccessKey)
{
    /// <summary>The key that signs what S3 gets on a day in a region; null when the secret is not known, or is that of another access key.</summary>
    public byte[]? SigningKey(string accessKeyId, string date, string region)
    {
        if (SecretAccessKey is not { Length: > 0 } || (AccessKeyId is { Length: > 0 } known && known != accessKeyId))
            return null;
        return ((string[])[date, region, "s3", "aws4_request"])
            .Aggregate(Encoding.UTF8.GetBytes("AWS4" + SecretAccessKey), (key, text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)));
    }

    /// <summary>The signature of a text, in lower-case hexadecimal digits.</summary>
    public static string Sign(byte[] signingKey, string text) => Convert.ToHexStringLower(HMACSHA256.HashData(signingKey, Encoding.UTF8.GetBytes(text)));
}

/// <summary>Checks AWS Signature Version 4 in a query string (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). Thread-safe.</summary>
internal static class PresignedUrl
{
    private const string Algorithm = "AWS4-HMAC-SHA256";
    private const string UnsignedPayload = "UNSIGNED-PAYLOAD";
    private const int MaxExpirySeconds = 604_800;
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(15);
    private static readonly string[] Required =
        ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];

    public static bool IsPresigned(S3Query query) => query.Names.Any(n => n is "X-Amz-Algorithm" or "X-Amz-Signature" or "X-Amz-Credential");

    /// <param name="path">The path as it was sent, still encoded.</param>
    /// <param name="headers">The value of a request header by lower-case name, or null.</param>
    /// <param name="amzHeaders">The lower-case names of the <c>x-amz-*</c> headers that were sent.</param>
    /// <exception cref="S3Exception"><c>AuthorizationQueryParametersError</c>, <c>AccessDenied</c>, <c>InvalidAccessKeyId</c>, <c>SignatureDoesNotMatch</c>.</exception>
    public static void Verify(
        string method, string path, S3Query query, Func<string, string?> headers, IEnumerable<string> amzHeaders, SigningCredentials credentials, DateTimeOffset now)
    {
        if (Required.FirstOrDefault(name => query[name] is null) is not null)
            throw Malformed("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
        if (query["X-Amz-Algorithm"] != Algorithm)
            throw Malformed($"X-Amz-Algorithm only supports \"{Algorithm}\"");
        if (!DateTimeOffset.TryParseExact(query["X-Amz-Date"], "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var signedAt))
            throw Malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
        if (!int.TryParse(query["X-Amz-Expires"], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var expires))
            throw Malformed("X-Amz-Expires should be a number");
        if (expires is < 0 or > MaxExpirySeconds)
            throw Malformed(expires < 0 ? "X-Amz-Expires must be non-negative" : "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds");
        var scope = query["X-Amz-Credential"]!.Split('/');
        if (scope.Length != 5 || scope[3] != "s3" || scope[4] != "aws4_request" || scope[1] != query["X-Amz-Date"]![..8])
            throw Malformed("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
        if (signedAt - now > ClockSkew)
            throw S3Exception.AccessDenied("Request is not yet valid");
        if (now >= signedAt.AddSeconds(expires))
            throw new S3Exception("AccessDenied", "Request has expired", 403)
            {
                Details = [new("X-Amz-Expires", query["X-Amz-Expires"]!), new("Expires", $"{signedAt.AddSeconds(expires):yyyy-MM-dd'T'HH:mm:ss'Z'}")],
            };

        var signedHeaders = query["X-Amz-SignedHeaders"]!.Split(';');
        if (!signedHeaders.Contains("host"))
            throw Malformed("X-Amz-SignedHeaders must contain \"host\"");
        var unsigned = amzHeaders.Where(name => name != "x-amz-content-sha256" && !signedHeaders.Contains(name)).ToArray();
        if (unsigned.Length > 0)
            throw new S3Exception("AccessDenied", "There were headers present in the request which were not signed", 403) { Details = [new("HeadersNotSigned", string.Join(", ", unsigned))] };
        if (credentials.SecretAccessKey is not { Length: > 0 })
            return;
        if (credentials.SigningKey(scope[0], scope[1], scope[2]) is not { } key)
            throw new S3Exception("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403) { Details = [new("AWSAccessKeyId", scope[0])] };

        var canonical = CanonicalRequest(method, path, query, signedHeaders, headers);
        var toSign = $"{Algorithm}\n{query["X-Amz-Date"]}\n{string.Join('/', scope[1..])}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var expected = SigningCredentials.Sign(key, toSign);
        if (!CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.UTF8.GetBytes(query["X-Amz-Signature"]!)))
        {
            throw S3Exception.SignatureDoesNotMatch(
                new("AWSAccessKeyId", scope[0]), new("StringToSign", toSign), new("SignatureProvided", query["X-Amz-Signature"]!), new("CanonicalRequest", canonical));
        }
    }

    /// <summary>RFC 3986 unreserved characters stay, everything else becomes %XX of its UTF-8 bytes; S3 leaves the path's slashes.</summary>
    public static string Encode(string text, bool keepSlash)
    {
        var result = new StringBuilder(text.Length);
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            var letter = (char)value;
            if (char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.' or '~' || (keepSlash && letter == '/'))
                result.Append(letter);
            else
                result.Append('%').Append(value.ToString("X2", CultureInfo.InvariantCulture));
        }

        return result.ToString();
    }

    private static string CanonicalRequest(string method, string path, S3Query query, string[] signedHeaders, Func<string, string?> headers)
    {
        var parameters = query.All
            .Where(p => p.Key != "X-Amz-Signature")
            .Select(p => (Name: Encode(p.Key, keepSlash: false), Value: Encode(p.Value, keepSlash: false)))
            .OrderBy(p => p.Name, StringComparer.Ordinal).ThenBy(p => p.Value, StringComparer.Ordinal)
            .Select(p => $"{p.Name}={p.Value}");
        var lines = signedHeaders.Select(name => $"{name}:{Collapse(headers(name) ?? "")}\n");
        var payload = query["X-Amz-Content-Sha256"] ?? (signedHeaders.Contains("x-amz-content-sha256") ? headers("x-amz-content-sha256") : null) ?? UnsignedPayload;
        return $"{method}\n{Encode(Uri.UnescapeDataString(path), keepSlash: true)}\n{string.Join('&', parameters)}\n{string.Concat(lines)}\n{string.Join(';', signedHeaders)}\n{payload}";
    }

    private static string Collapse(string value) => string.Join(' ', value.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static S3Exception Malformed(string message) => new("AuthorizationQueryParametersError", message, 400);
}
