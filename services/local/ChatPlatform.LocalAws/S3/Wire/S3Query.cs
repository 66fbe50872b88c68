namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>A query string's parameters, decoded, in the order sent; names are case-sensitive as in S3. A parameter without a value has the value "".</summary>
internal sealed class S3Query
{
    private readonly List<KeyValuePair<string, string>> _all = [];

    /// <param name="text">With or without the leading question mark.</param>
    public S3Query(string text)
    {
        foreach (var pair in text.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=');
            _all.Add(equals < 0 ? new(Decode(pair), "") : new(Decode(pair[..equals]), Decode(pair[(equals + 1)..])));
        }
    }

    public IReadOnlyList<KeyValuePair<string, string>> All => _all;

    public IEnumerable<string> Names => _all.Select(p => p.Key);

    /// <summary>The first value of a parameter; null when it is not there.</summary>
    public string? this[string name]
    {
        get
        {
            foreach (var (key, value) in _all)
            {
                if (key == name)
                    return value;
            }

            return null;
        }
    }

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
