using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using ChatPlatform.LocalAws.S3.Wire;
using Microsoft.AspNetCore.Http;

namespace ChatPlatform.UnitTests.LocalAws.S3;

/// <summary>The XML that clients send – delete many, complete multipart, CORS –, through the whole of S3 but the server: a fixed seed, and what broke once as cases of its own.</summary>
public sealed class XmlBodyTests : IAsyncDisposable
{
    private const int FuzzSeed = 20_261_122;
    private const int FuzzInputs = 60_000;

    private static readonly string[] Pieces =
    [
        "<", ">", "</", "/>", "&", "&amp;", "&#0;", "&#x10FFFF;", "<![CDATA[", "]]>", "<!--", "<?xml version=\"1.0\"?>", "<!DOCTYPE a [<!ENTITY e \"x\">]>", "&e;", "xmlns=\"\"", "<Key>", "</Key>",
        "<Object>", "<Quiet>maybe</Quiet>", "<VersionId>v</VersionId>", "<PartNumber>-1</PartNumber>", "<PartNumber>99999999999</PartNumber>", "<Part/>", "<AllowedOrigin>*</AllowedOrigin>", "<CORSRule/>",
        "<MaxAgeSeconds>x</MaxAgeSeconds>", "\0", "\uFFFE", "한",
    ];

    private readonly LocalAwsServices _aws = new(null, TimeProvider.System);

    public ValueTask DisposeAsync() => _aws.DisposeAsync();

    [Fact]
    public async Task A_document_is_taken_or_refused_and_what_it_does_not_name_stays()
    {
        (await SendAsync("PUT", "/bucket", "")).Status.ShouldBe(200);
        (await SendAsync("PUT", "/bucket/stays", "x")).Status.ShouldBe(200);
        var (created, answer) = await SendAsync("POST", "/bucket/k?uploads", "");
        created.ShouldBe(200);
        var upload = XDocument.Parse(answer).Descendants().Single(e => e.Name.LocalName == "UploadId").Value;
        (await SendAsync("PUT", $"/bucket/k?uploadId={upload}&partNumber=1", "part")).Status.ShouldBe(200);
        (string Method, string Address, string Body)[] corpus =
        [
            ("POST", "/bucket?delete", "<Delete><Object><Key>a</Key></Object><Object><Key>b/c</Key></Object><Quiet>true</Quiet></Delete>"),
            ("POST", $"/bucket/k?uploadId={upload}", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"none\"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part></CompleteMultipartUpload>"),
            ("PUT", "/bucket?cors", "<CORSConfiguration><CORSRule><AllowedOrigin>http://*.example</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader><MaxAgeSeconds>30</MaxAgeSeconds></CORSRule></CORSConfiguration>"),
        ];
        var random = new Random(FuzzSeed);
        var taken = 0;
        for (var i = 0; i < FuzzInputs; i++)
        {
            var (method, address, body) = corpus[random.Next(corpus.Length)];
            var bytes = Mutate(random, Encoding.UTF8.GetBytes(body));
            var (status, text) = await SendAsync(method, address, bytes);
            status.ShouldBeInRange(200, 499, $"seed {FuzzSeed}, input {i}: {Convert.ToBase64String(bytes)}");
            if (status >= 400)
                XDocument.Parse(text).Root!.Element("Code")!.Value.ShouldNotBe("InternalError");
            taken += status < 300 ? 1 : 0;
        }

        taken.ShouldBeInRange(FuzzInputs / 50, FuzzInputs * 49 / 50);
        (await SendAsync("GET", "/bucket/stays", "")).ShouldBe((200, "x"));
        (await SendAsync("GET", $"/bucket/k?uploadId={upload}", "")).Status.ShouldBe(200);
    }

    [Theory]
    [InlineData("POST", "/bucket?delete", "")]
    [InlineData("POST", "/bucket?delete", "<Delete/>")]
    [InlineData("POST", "/bucket?delete", "<Remove><Object><Key>a</Key></Object></Remove>")]
    [InlineData("POST", "/bucket?delete", "<Delete><Object><Key>a</Key></Object>")]
    [InlineData("POST", "/bucket?delete", "<!DOCTYPE a [<!ENTITY e \"x\">]><Delete><Object><Key>&e;</Key></Object></Delete>")]
    [InlineData("PUT", "/bucket?cors", "<CORSConfiguration/>")]
    [InlineData("PUT", "/bucket?cors", "<CORSConfiguration><CORSRule/></CORSConfiguration>")]
    public async Task A_document_that_is_not_what_it_should_be_is_MalformedXML(string method, string address, string body)
    {
        await SendAsync("PUT", "/bucket", "");
        var (status, text) = await SendAsync(method, address, body);
        (status, XDocument.Parse(text).Root!.Element("Code")!.Value).ShouldBe((400, "MalformedXML"));
    }

    private Task<(int Status, string Body)> SendAsync(string method, string address, string body) => SendAsync(method, address, Encoding.UTF8.GetBytes(body));

    private async Task<(int Status, string Body)> SendAsync(string method, string address, byte[] body)
    {
        var question = address.IndexOf('?');
        var context = new DefaultHttpContext();
        context.Request.Method = method;
        context.Request.Path = question < 0 ? address : address[..question];
        context.Request.QueryString = new QueryString(question < 0 ? "" : address[question..]);
        context.Request.Host = new HostString("127.0.0.1");
        context.Request.Body = new MemoryStream(body);
        context.Request.ContentLength = body.Length;
        context.Request.Headers.ContentMD5 = Convert.ToBase64String(MD5.HashData(body));
        using var answer = new MemoryStream();
        context.Response.Body = answer;
        await _aws.Get<S3Endpoint>().HandleAsync(context);
        return (context.Response.StatusCode, Encoding.UTF8.GetString(answer.ToArray()));
    }

    private static byte[] Mutate(Random random, byte[] valid)
    {
        var bytes = new List<byte>(valid);
        for (var changes = random.Next(0, 4); changes > 0 && bytes.Count > 0; changes--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 12), bytes.Count - at));
                    break;
                case 2:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 60), bytes.Count - at)));
                    break;
                default:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)]));
                    break;
            }
        }

        return [.. bytes];
    }
}
