using System.Globalization;
using System.Text;

namespace ChatPlatform.Benchmarks.LocalAws;

/// <summary>
/// An HTTP request made once, with places for numbers of a fixed width, so that sending it again with other numbers costs a few bytes written. A place stands in the
/// text as <c>%d…d%</c>: the letter names the number, its repetitions are the width, e.g. <c>room-%rrrrrr%</c>. Not thread-safe: the bytes are filled in place.
/// </summary>
internal sealed class RequestTemplate
{
    private readonly byte[] _bytes;
    private readonly List<(char Name, int At, int Width)> _places = [];

    public RequestTemplate(string operation, string json)
    {
        var body = Encoding.UTF8.GetBytes(Unmarked(json, 0, null));
        // Both servers demand a signature and neither checks it.
        var head = string.Create(CultureInfo.InvariantCulture, $"""
            POST / HTTP/1.1
            Host: 127.0.0.1
            X-Amz-Target: DynamoDB_20120810.{operation}
            Content-Type: application/x-amz-json-1.0
            X-Amz-Date: 20260511T000000Z
            Authorization: AWS4-HMAC-SHA256 Credential=local/20260511/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature={new string('0', 64)}
            Content-Length: {body.Length}


            """).ReplaceLineEndings("\r\n");
        _ = Unmarked(json, head.Length, _places);
        _bytes = [.. Encoding.ASCII.GetBytes(head), .. body];
    }

    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Writes a number into all its places, filled with zeros from the left.</summary>
    public void Set(char name, long value)
    {
        foreach (var place in _places)
        {
            if (place.Name != name)
                continue;
            var rest = value;
            for (var at = place.At + place.Width - 1; at >= place.At; at--, rest /= 10)
                _bytes[at] = (byte)('0' + (rest % 10));
        }
    }

    /// <summary>The text with zeros in the places; notes where they are. ASCII only, so that a character is a byte.</summary>
    private static string Unmarked(string text, int offset, List<(char Name, int At, int Width)>? places)
    {
        var result = new StringBuilder(text.Length);
        var parts = text.Split('%');
        for (var i = 0; i < parts.Length; i++)
        {
            if (i % 2 == 0)
            {
                result.Append(parts[i]);
                continue;
            }

            places?.Add((parts[i][0], offset + result.Length, parts[i].Length));
            result.Append('0', parts[i].Length);
        }

        return result.ToString();
    }
}
