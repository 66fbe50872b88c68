namespace ChatPlatform.Api.Attachments;

/// <summary>
/// What may be uploaded. Nothing that a browser would run as a page of the bucket's origin (HTML, SVG, scripts) is among it.
/// </summary>
internal static class AttachmentTypes
{
    private static readonly HashSet<string> Images = new(StringComparer.Ordinal)
    {
        "image/jpeg", "image/png", "image/gif", "image/webp", "image/heic", "image/heif", "image/avif",
    };

    private static readonly HashSet<string> Files = new(StringComparer.Ordinal)
    {
        "application/pdf", "application/zip", "text/plain", "text/csv",
        "audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "video/mp4", "video/quicktime", "video/webm",
        "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/x-hwp", "application/haansofthwp", "application/octet-stream",
    };

    /// <summary>Every type there is, for refusals.</summary>
    public static string All { get; } = string.Join(", ", Images.Concat(Files));

    /// <summary>Bare and in lower case, as it is signed: <c>image/jpeg</c>.</summary>
    public static bool IsKnown(string contentType) => IsImage(contentType) || Files.Contains(contentType);

    public static bool IsImage(string contentType) => Images.Contains(contentType);
}
