using System.Globalization;
using System.Xml.Linq;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>Cross-origin requests of browsers, by the bucket's rules (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html).</summary>
internal static class Cors
{
    private const int MaxRules = 100;
    private static readonly string[] Methods = ["GET", "PUT", "HEAD", "POST", "DELETE"];

    public static bool IsPreflight(HttpRequest request) => HttpMethods.IsOptions(request.Method);

    /// <exception cref="S3Exception"><c>BadRequest</c> without an origin or method, <c>AccessForbidden</c> when no rule allows the request.</exception>
    public static async Task AnswerPreflightAsync(S3Call call, ObjectStore store)
    {
        var method = call.Header("access-control-request-method");
        if (call.Header("origin") is not { Length: > 0 } origin)
            throw new S3Exception("BadRequest", "Insufficient information. Origin request header needed.", 400);
        if (string.IsNullOrEmpty(method) || !Methods.Contains(method))
            throw new S3Exception("BadRequest", $"Invalid Access-Control-Request-Method: {method}", 400);
        var headers = (call.Header("access-control-request-headers") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var rules = store.GetBucket(call.Bucket).Settings.Cors;
        var rule = Match(rules, origin, method, headers) ?? throw new S3Exception(
            "AccessForbidden",
            rules.Count == 0
                ? "CORSResponse: CORS is not enabled for this bucket."
                : "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            403);
        Allow(call, rule, origin);
        if (headers.Length > 0)
            call.Response.Headers.AccessControlAllowHeaders = string.Join(", ", headers.Select(h => h.ToLowerInvariant()));
        if (rule.MaxAgeSeconds is { } age)
            call.Response.Headers.AccessControlMaxAge = age.ToString(CultureInfo.InvariantCulture);
        await call.AnswerAsync(200);
    }

    /// <summary>Adds the headers by which a browser lets a page see the answer, errors included. A request that no rule allows is answered without them.</summary>
    public static void AllowOrigin(S3Call call, ObjectStore store)
    {
        if (call.Header("origin") is not { Length: > 0 } origin || call.Bucket.Length == 0)
            return;
        if (store.Buckets.FirstOrDefault(b => b.Name == call.Bucket) is { } bucket && Match(bucket.Settings.Cors, origin, call.Request.Method, []) is { } rule)
            Allow(call, rule, origin);
    }

    /// <exception cref="S3Exception"><c>MalformedXML</c>, <c>InvalidRequest</c>.</exception>
    public static IReadOnlyList<CorsRule> Parse(XElement? document)
    {
        var rules = document?.Elements().Where(e => e.Name.LocalName == "CORSRule").Select(ParseRule).ToArray() ?? [];
        if (document?.Name.LocalName != "CORSConfiguration" || rules.Length is 0 or > MaxRules)
            throw S3Exception.MalformedXml();
        return rules;
    }

    public static XElement ToXml(IEnumerable<CorsRule> rules) => new(S3Call.Namespace + "CORSConfiguration", rules.Select(rule => new XElement(
        S3Call.Namespace + "CORSRule",
        rule.Id is null ? null : new XElement(S3Call.Namespace + "ID", rule.Id),
        rule.AllowedOrigins.Select(v => new XElement(S3Call.Namespace + "AllowedOrigin", v)),
        rule.AllowedMethods.Select(v => new XElement(S3Call.Namespace + "AllowedMethod", v)),
        rule.AllowedHeaders.Select(v => new XElement(S3Call.Namespace + "AllowedHeader", v)),
        rule.ExposeHeaders.Select(v => new XElement(S3Call.Namespace + "ExposeHeader", v)),
        rule.MaxAgeSeconds is null ? null : new XElement(S3Call.Namespace + "MaxAgeSeconds", rule.MaxAgeSeconds))));

    private static CorsRule ParseRule(XElement element)
    {
        var age = Values("MaxAgeSeconds").FirstOrDefault();
        if (age is not null && !int.TryParse(age, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            throw S3Exception.MalformedXml();
        var rule = new CorsRule(
            Values("ID").FirstOrDefault(), Values("AllowedOrigin"), Values("AllowedMethod"), Values("AllowedHeader"), Values("ExposeHeader"),
            age is null ? null : int.Parse(age, CultureInfo.InvariantCulture));
        if (rule.AllowedOrigins.Count == 0 || rule.AllowedMethods.Count == 0)
            throw S3Exception.MalformedXml();
        if (rule.AllowedMethods.FirstOrDefault(m => !Methods.Contains(m)) is { } unknown)
            throw S3Exception.InvalidRequest($"Found unsupported HTTP method in CORS config. Unsupported method is {unknown}");
        if (rule.AllowedOrigins.Concat(rule.AllowedHeaders).FirstOrDefault(v => v.Count(c => c == '*') > 1) is { } wild)
            throw S3Exception.InvalidRequest($"\"{wild}\" can not have more than one wildcard.");
        return rule;

        string[] Values(string name) => [.. element.Elements().Where(e => e.Name.LocalName == name).Select(e => e.Value)];
    }

    private static CorsRule? Match(IEnumerable<CorsRule> rules, string origin, string method, IReadOnlyList<string> headers) => rules.FirstOrDefault(rule =>
        rule.AllowedMethods.Contains(method)
        && rule.AllowedOrigins.Any(pattern => IsLike(origin, pattern, StringComparison.Ordinal))
        && headers.All(h => rule.AllowedHeaders.Any(pattern => IsLike(h, pattern, StringComparison.OrdinalIgnoreCase))));

    private static bool IsLike(string text, string pattern, StringComparison comparison)
    {
        var star = pattern.IndexOf('*');
        return star < 0
            ? text.Equals(pattern, comparison)
            : text.Length >= pattern.Length - 1 && text.StartsWith(pattern[..star], comparison) && text.EndsWith(pattern[(star + 1)..], comparison);
    }

    private static void Allow(S3Call call, CorsRule rule, string origin)
    {
        var headers = call.Response.Headers;
        // A rule for every origin answers "*"; only a named one may send credentials.
        var any = rule.AllowedOrigins.Contains("*");
        headers.AccessControlAllowOrigin = any ? "*" : origin;
        if (!any)
            headers.AccessControlAllowCredentials = "true";
        headers.AccessControlAllowMethods = string.Join(", ", rule.AllowedMethods);
        if (rule.ExposeHeaders.Count > 0)
            headers.AccessControlExposeHeaders = string.Join(", ", rule.ExposeHeaders);
        headers.Vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
    }
}
