namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>
/// The order S3 lists keys in: that of their UTF-8 bytes (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
/// It differs from .NET's ordinal order only where a surrogate pair meets a character from U+E000 on.
/// </summary>
internal sealed class KeyOrder : IComparer<string>
{
    public static KeyOrder Utf8 { get; } = new();

    public int Compare(string? x, string? y)
    {
        var left = x.AsSpan();
        var right = y.AsSpan();
        var at = left.CommonPrefixLength(right);
        if (at == left.Length || at == right.Length)
            return left.Length - right.Length;
        return Rank(left[at]) - Rank(right[at]);
    }

    // Moves surrogates above the rest of the plane, where the code points they stand for belong.
    private static int Rank(char unit) => char.IsSurrogate(unit) ? unit + 0x10000 : unit;
}
