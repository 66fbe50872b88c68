using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>
/// The chain of signatures in a signed <c>aws-chunked</c> body: each signs its chunk's bytes and the signature before it, the first one that of the request's header
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, …/sigv4-streaming-trailers.html). Not thread-safe.
/// </summary>
internal sealed class ChunkSignatures : IDisposable
{
    private const string Unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    private const string Signed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    private const string SignedWithTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";

    /// <summary>The trailing header that signs the others.</summary>
    private const string TrailerSignature = "x-amz-trailer-signature";
    private static readonly string OfNothing = Convert.ToHexStringLower(SHA256.HashData([]));

    private readonly byte[] _key;
    private readonly string _date;
    private readonly string _scope;
    private readonly bool _trailer;
    private readonly IncrementalHash _chunk = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private string _previous;

    /// <param name="key">The signing key of the scope.</param>
    /// <param name="date">The request's <c>x-amz-date</c>.</param>
    /// <param name="scope"><c>DATE/REGION/s3/aws4_request</c>.</param>
    /// <param name="seed">The signature of the request's header.</param>
    /// <param name="trailer">Whether trailing headers follow, with a signature of their own.</param>
    public ChunkSignatures(byte[] key, string date, string scope, string seed, bool trailer) =>
        (_key, _date, _scope, _previous, _trailer) = (key, date, scope, seed, trailer);

    /// <summary>What checks a request's body; null when it is not signed in chunks, or by an access key whose secret is not known here.</summary>
    /// <param name="kind">The value of <c>x-amz-content-sha256</c>.</param>
    /// <param name="authorization">The <c>Authorization</c> header.</param>
    /// <param name="date">The <c>x-amz-date</c> header.</param>
    /// <exception cref="S3Exception"><c>NotImplemented</c>: another kind of streaming signature.</exception>
    public static ChunkSignatures? Of(string? kind, string? authorization, string? date, SigningCredentials credentials)
    {
        if (kind is null || !kind.StartsWith("STREAMING-", StringComparison.Ordinal) || kind == Unsigned)
            return null;
        if (kind is not (Signed or SignedWithTrailer))
            throw S3Exception.NotImplemented($"A body signed as '{kind}'");
        var credential = Part(authorization, "Credential=")?.Split('/');
        if (credential is not { Length: 5 } || Part(authorization, "Signature=") is not { } seed || date is null)
            return null;
        return credentials.SigningKey(credential[0], credential[1], credential[2]) is { } key
            ? new ChunkSignatures(key, date, string.Join('/', credential[1..]), seed, kind == SignedWithTrailer)
            : null;
    }

    /// <summary>Bytes of the chunk that is being read.</summary>
    public void Append(in ReadOnlySequence<byte> bytes)
    {
        foreach (var part in bytes)
            _chunk.AppendData(part.Span);
    }

    /// <exception cref="S3Exception"><c>SignatureDoesNotMatch</c>.</exception>
    public void EndChunk(string? signature) =>
        Check($"AWS4-HMAC-SHA256-PAYLOAD\n{_date}\n{_scope}\n{_previous}\n{OfNothing}\n{Convert.ToHexStringLower(_chunk.GetHashAndReset())}", signature);

    /// <summary>After the last chunk and the trailing headers.</summary>
    /// <exception cref="S3Exception"><c>SignatureDoesNotMatch</c>.</exception>
    public void EndTrailers(IReadOnlyDictionary<string, string> trailers)
    {
        if (!_trailer)
            return;
        var lines = trailers.Select(t => (Name: t.Key.ToLowerInvariant(), t.Value)).Where(t => t.Name != TrailerSignature)
            .OrderBy(t => t.Name, StringComparer.Ordinal).Select(t => $"{t.Name}:{t.Value}\n");
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines))));
        Check($"AWS4-HMAC-SHA256-TRAILER\n{_date}\n{_scope}\n{_previous}\n{hash}", trailers.GetValueOrDefault(TrailerSignature));
    }

    public void Dispose() => _chunk.Dispose();

    private void Check(string toSign, string? signature)
    {
        var expected = SigningCredentials.Sign(_key, toSign);
        if (!CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.UTF8.GetBytes(signature ?? "")))
            throw S3Exception.SignatureDoesNotMatch(new("StringToSign", toSign), new("SignatureProvided", signature ?? ""));
        _previous = expected;
    }

    /// <summary>One of the parts of an <c>Authorization</c> header, which are separated by commas.</summary>
    private static string? Part(string? authorization, string name)
    {
        var parts = (authorization ?? "").Split([',', ' '], StringSplitOptions.RemoveEmptyEntries);
        return parts.FirstOrDefault(p => p.StartsWith(name, StringComparison.Ordinal))?[name.Length..];
    }
}
