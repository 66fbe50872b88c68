using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.S3.Wire;

internal enum S3Scope
{
    Service,
    Bucket,
    Object,
}

/// <summary>
/// One operation and everything about a request that it honours: a query parameter or <c>x-amz-*</c> header that is not listed is refused with
/// <c>NotImplemented</c>, never ignored.
/// </summary>
/// <param name="Selectors">Query parameters that must be there; of several operations that match, the one with the most selectors is meant.</param>
internal sealed record S3Operation(string Name, string Method, S3Scope Scope, IReadOnlyList<string> Selectors, Func<S3Call, Task> HandleAsync)
{
    /// <summary>A header that must be there, beside the selectors.</summary>
    public string? SelectingHeader { get; init; }

    public IReadOnlyList<string> Parameters { get; init; } = [];

    public IReadOnlyList<string> Headers { get; init; } = [];

    /// <summary>Whether <c>x-amz-meta-*</c> is kept.</summary>
    public bool TakesMetadata { get; init; }

    // What every operation understands: signatures, the SDKs' marks, the integrity of bodies, whose bucket it is.
    private static readonly HashSet<string> CommonParameters = new(StringComparer.Ordinal)
    {
        "x-id", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token",
        "X-Amz-Content-Sha256", "X-Amz-User-Agent",
    };

    private static readonly HashSet<string> CommonHeaders = new(StringComparer.OrdinalIgnoreCase)
    {
        "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent", "x-amz-api-version", "x-amz-request-payer", "x-amz-expected-bucket-owner",
        "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme",
        "x-amz-checksum-sha1", "x-amz-checksum-sha256",
    };

    /// <summary>The operation without what all of them understand.</summary>
    public OperationDescription Describe() => new(Name,
        [.. Selectors, .. Parameters, .. SelectingHeader is null ? [] : (string[])[SelectingHeader], .. Headers, .. TakesMetadata ? (string[])["x-amz-meta-*"] : []]);

    public bool Matches(S3Call call, S3Scope scope) =>
        scope == Scope && call.Request.Method == Method
        && Selectors.All(s => call.Query[s] is not null)
        && (SelectingHeader is null || call.Request.Headers.ContainsKey(SelectingHeader));

    /// <exception cref="S3Exception"><c>NotImplemented</c>, naming the first parameter or header that the operation does not honour.</exception>
    public void RefuseUnknown(S3Call call)
    {
        foreach (var name in call.Query.Names)
        {
            // Some SDKs send presigning parameters, and a parameter may be known in lower case only as a presigned header.
            if (!CommonParameters.Contains(name) && !Selectors.Contains(name) && !Parameters.Contains(name) && !IsKnownHeader(name))
                throw S3Exception.NotImplemented($"The query parameter '{name}' of {Name}");
        }

        foreach (var name in call.Request.Headers.Keys)
        {
            if (name.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase) && !IsKnownHeader(name))
                throw S3Exception.NotImplemented($"The header '{name.ToLowerInvariant()}' of {Name}");
        }
    }

    private bool IsKnownHeader(string name) =>
        CommonHeaders.Contains(name) || name.Equals(SelectingHeader, StringComparison.OrdinalIgnoreCase) || Headers.Contains(name, StringComparer.OrdinalIgnoreCase)
        || (TakesMetadata && name.StartsWith("x-amz-meta-", StringComparison.OrdinalIgnoreCase));
}
