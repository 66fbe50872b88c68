namespace ChatPlatform.Api.Rooms.Owners;

/// <summary>An API server as the others see it.</summary>
/// <param name="Address">Where its REST is, e.g. <c>http://10.0.3.7:8080</c>. Also its name: a server that comes back at the same address owns the same rooms.</param>
/// <param name="GrpcAddress">Where its chat.v1.ChatService is; null when it serves none.</param>
internal sealed record ApiNode(string Address, string? GrpcAddress)
{
    /// <summary>As it stands in the node directory.</summary>
    public override string ToString() => GrpcAddress is null ? Address : $"{Address} {GrpcAddress}";

    /// <summary>Reads what <see cref="ToString"/> wrote; null for anything else, which a later version may have put there.</summary>
    public static ApiNode? Parse(string text) => text.Split(' ') switch
    {
        [var address] when IsUrl(address) => new ApiNode(address, null),
        [var address, var grpc] when IsUrl(address) && IsUrl(grpc) => new ApiNode(address, grpc),
        _ => null,
    };

    internal static bool IsUrl(string text) => Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme is "http" or "https");
}
