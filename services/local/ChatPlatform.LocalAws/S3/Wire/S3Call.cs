using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using ChatPlatform.LocalAws.S3.Objects;
using Microsoft.AspNetCore.Http.Features;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>One S3 request with its address taken apart, and the ways to answer it.</summary>
/// <param name="context">The HTTP exchange.</param>
/// <param name="bucket">Empty for the service itself.</param>
/// <param name="key">Empty for the bucket itself.</param>
/// <param name="path">The path as sent, encoded.</param>
internal sealed class S3Call(HttpContext context, string bucket, string key, string path, S3Query query)
{
    /// <summary>The account every resource belongs to.</summary>
    public const string AccountId = "000000000000";

    public static XNamespace Namespace { get; } = "http://s3.amazonaws.com/doc/2006-03-01/";

    private const int MaxKeyBytes = 1_024;
    private const int MaxXmlBytes = 4 * 1024 * 1024;

    public HttpContext Context => context;

    public HttpRequest Request => context.Request;

    public HttpResponse Response => context.Response;

    public string Bucket => bucket;

    public string Key => key;

    public string Path => path;

    public S3Query Query => query;

    /// <summary>What checks the chunks of the body; null when they are not signed, or not with a key that is known here.</summary>
    public ChunkSignatures? ChunkSignatures { get; set; }

    public CancellationToken Aborted => context.RequestAborted;

    public bool IsHead => HttpMethods.IsHead(Request.Method);

    /// <summary>Takes bucket and key from the host name or the path (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).</summary>
    /// <exception cref="S3Exception"><c>InvalidURI</c>, <c>KeyTooLongError</c>.</exception>
    public static S3Call Parse(HttpContext context)
    {
        // The server has resolved dot segments in Path; a key may hold them, so the address is read as it was sent.
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget is { Length: > 0 } raw ? raw : context.Request.Path + context.Request.QueryString;
        if (!target.StartsWith('/') && Uri.TryCreate(target, UriKind.Absolute, out var absolute))
            target = absolute.GetComponents(UriComponents.PathAndQuery | UriComponents.KeepDelimiter, UriFormat.UriEscaped);
        var question = target.IndexOf('?');
        var path = question < 0 ? target : target[..question];
        var query = new S3Query(question < 0 ? "" : target[question..]);

        var bucket = VirtualHost.BucketOf(context.Request.Host.Host);
        var rest = path.TrimStartOne();
        if (bucket is null)
        {
            var slash = rest.IndexOf('/');
            bucket = Uri.UnescapeDataString(slash < 0 ? rest : rest[..slash]);
            rest = slash < 0 ? "" : rest[(slash + 1)..];
        }

        var key = Uri.UnescapeDataString(rest);
        if (Encoding.UTF8.GetByteCount(key) > MaxKeyBytes)
            throw new S3Exception("KeyTooLongError", "Your key is too long", 400);
        if (key.Contains('\0') || key.Contains('\uFFFD'))
            throw new S3Exception("InvalidURI", "Couldn't parse the specified URI.", 400);
        return new S3Call(context, bucket, key, path, query);
    }

    /// <summary>A request header; in a presigned URL an <c>x-amz-*</c> header may stand in the query instead, where its signer put it.</summary>
    public string? Header(string name) =>
        Request.Headers.TryGetValue(name, out var values) ? values.ToString()
        : name.StartsWith("x-amz-", StringComparison.Ordinal) ? Query[name]
        : null;

    /// <summary>Sends an XML document, or for null only the status.</summary>
    public async Task AnswerAsync(int status, XElement? document = null)
    {
        Response.StatusCode = status;
        if (document is null)
        {
            if (status != StatusCodes.Status204NoContent && status != StatusCodes.Status304NotModified)
                Response.ContentLength = 0;
            return;
        }

        using var bytes = new MemoryStream();
        // Keys may hold characters that XML 1.0 has no place for; S3 writes them as references all the same.
        using (var writer = XmlWriter.Create(bytes, new XmlWriterSettings { Encoding = new UTF8Encoding(false), CheckCharacters = false }))
            document.Save(writer);
        Response.ContentType = "application/xml";
        Response.ContentLength = bytes.Length;
        if (!IsHead)
            await Response.Body.WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), Aborted);
    }

    /// <summary>Reads an XML body whose digests were checked; null when there is none.</summary>
    /// <exception cref="S3Exception"><c>MalformedXML</c>, <c>EntityTooLarge</c>, the errors of <see cref="IncomingBody"/>.</exception>
    public async Task<XElement?> ReadXmlAsync()
    {
        using var staged = new MemoryMedium().Stage();
        await IncomingBody.ReceiveAsync(this, staged, MaxXmlBytes);
        var stored = new MemoryMedium().Commit(staged, "", null, new ObjectMetadata { Key = "", Size = staged.Length, ETag = "", LastModified = default });
        if (stored.Length == 0)
            return null;
        try
        {
            using var reader = XmlReader.Create(stored.OpenRead(0, stored.Length), new XmlReaderSettings
            {
                DtdProcessing = DtdProcessing.Prohibit,
                CheckCharacters = false,
                CloseInput = true,
            });
            return XElement.Load(reader);
        }
        catch (XmlException)
        {
            throw S3Exception.MalformedXml();
        }
    }

    /// <summary>A whole number from the query.</summary>
    /// <exception cref="S3Exception"><c>InvalidArgument</c>.</exception>
    public int Number(string name, int absent, int least, int most)
    {
        if (Query[name] is not { Length: > 0 } text)
            return absent;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value < least || value > most)
            throw S3Exception.InvalidArgument(name, text, $"Argument {name} must be an integer between {least} and {most}");
        return value;
    }
}

/// <summary>Bucket names in host names.</summary>
internal static class VirtualHost
{
    private static readonly string[] Suffixes = [".localhost", ".localhost.localstack.cloud", ".amazonaws.com"];

    /// <summary>
    /// The bucket of <c>BUCKET.s3.localhost</c>, <c>BUCKET.s3.REGION.localhost</c>, <c>BUCKET.localhost</c> and the same under <c>localhost.localstack.cloud</c>
    /// and <c>amazonaws.com</c>; null for any other host, whose requests are path style.
    /// </summary>
    public static string? BucketOf(string host)
    {
        foreach (var suffix in Suffixes)
        {
            if (!host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
                continue;
            var labels = host[..^suffix.Length];
            var service = labels.LastIndexOf(".s3", StringComparison.OrdinalIgnoreCase);
            if (labels.Equals("s3", StringComparison.OrdinalIgnoreCase) || labels.StartsWith("s3.", StringComparison.OrdinalIgnoreCase))
                return null;
            if (service > 0 && (service + 3 == labels.Length || labels[service + 3] is '.' or '-'))
                labels = labels[..service];
            else if (suffix == ".amazonaws.com")
                return null;
            return labels.Length > 0 ? labels : null;
        }

        return null;
    }

    /// <summary>Without its first slash; further ones belong to the key.</summary>
    public static string TrimStartOne(this string path) => path.StartsWith('/') ? path[1..] : path;
}
