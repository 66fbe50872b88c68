using System.Text;
using System.Text.Json;

namespace ChatPlatform.LocalAws.Firehose.Processing;

/// <summary>
/// The query of a MetadataExtraction processor, <c>{key:.path.to.value,other:.list[0]}</c> (https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-partitioning-keys.html):
/// of JQ 1.6 an object construction with plain paths. Filters and functions are refused. Immutable.
/// </summary>
internal sealed class MetadataQuery
{
    private readonly List<(string Key, object[] Path)> _keys = [];

    private MetadataQuery()
    {
    }

    public IEnumerable<string> Keys => _keys.Select(k => k.Key);

    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>: it is more than paths, or nothing at all.</exception>
    public static MetadataQuery Parse(string text)
    {
        var query = new MetadataQuery();
        var reader = new Reader(text);
        reader.Expect('{');
        do
        {
            var key = reader.Name();
            reader.Expect(':');
            query._keys.Add((key, reader.Path()));
        }
        while (reader.Take(','));
        reader.Expect('}');
        reader.End();
        if (query._keys.DistinctBy(k => k.Key).Count() < query._keys.Count)
            throw FirehoseException.InvalidArgument($"MetadataExtractionQuery '{text}' has a key twice.");
        return query;
    }

    /// <summary>The values of all keys for one record; false, with the reason, when the record has no such values.</summary>
    public bool TryExtract(ReadOnlyMemory<byte> record, IDictionary<string, string> values, out string problem)
    {
        problem = "";
        try
        {
            using var document = JsonDocument.Parse(record);
            foreach (var (key, path) in _keys)
            {
                var text = Follow(document.RootElement, path) switch
                {
                    { ValueKind: JsonValueKind.String } value => value.GetString()!,
                    { ValueKind: JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False } value => value.GetRawText(),
                    _ => "",
                };
                if (text.Length == 0)
                {
                    problem = $"The query gave no value for the partition key {key}.";
                    return false;
                }

                values[$"partitionKeyFromQuery:{key}"] = text;
            }

            return true;
        }
        catch (JsonException)
        {
            problem = "The record is not valid JSON.";
            return false;
        }
    }

    private static JsonElement? Follow(JsonElement element, object[] path)
    {
        foreach (var step in path)
        {
            switch (step)
            {
                case string name when element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member):
                    element = member;
                    break;
                case int index when element.ValueKind == JsonValueKind.Array && (index < 0 ? index + element.GetArrayLength() : index) is var at && at >= 0 && at < element.GetArrayLength():
                    element = element[at];
                    break;
                default:
                    return null;
            }
        }

        return element;
    }

    private ref struct Reader(string text)
    {
        private int _at;

        public bool Take(char wanted)
        {
            Space();
            if (_at == text.Length || text[_at] != wanted)
                return false;
            _at++;
            return true;
        }

        public void Expect(char wanted)
        {
            if (!Take(wanted))
                throw Wrong();
        }

        public void End()
        {
            Space();
            if (_at < text.Length)
                throw Wrong();
        }

        public string Name()
        {
            Space();
            if (_at < text.Length && text[_at] == '"')
                return Quoted();
            var start = _at;
            while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] == '_'))
                _at++;
            return _at > start && !char.IsAsciiDigit(text[start]) ? text[start.._at] : throw Wrong();
        }

        /// <summary><c>.a.b</c>, <c>."a b"</c>, <c>.a[0]</c>, <c>.["a"]</c>.</summary>
        public object[] Path()
        {
            var path = new List<object>();
            Space();
            if (_at == text.Length || text[_at] != '.')
                throw Wrong();
            while (_at < text.Length && text[_at] is '.' or '[')
            {
                if (text[_at] == '.')
                {
                    _at++;
                    if (_at < text.Length && text[_at] == '[')
                        continue;
                    path.Add(Name());
                    continue;
                }

                _at++;
                path.Add(_at < text.Length && text[_at] == '"' ? Quoted() : Index());
                Expect(']');
            }

            return [.. path];
        }

        private int Index()
        {
            var start = _at;
            while (_at < text.Length && (char.IsAsciiDigit(text[_at]) || (text[_at] == '-' && _at == start)))
                _at++;
            return int.TryParse(text.AsSpan(start, _at - start), out var index) ? index : throw Wrong();
        }

        private string Quoted()
        {
            var name = new StringBuilder();
            for (_at++; _at < text.Length && text[_at] != '"'; _at++)
            {
                if (text[_at] == '\\' && ++_at == text.Length)
                    break;
                name.Append(text[_at]);
            }

            if (_at == text.Length)
                throw Wrong();
            _at++;
            return name.ToString();
        }

        private void Space()
        {
            while (_at < text.Length && char.IsWhiteSpace(text[_at]))
                _at++;
        }

        private readonly FirehoseException Wrong() => FirehoseException.InvalidArgument(
            $"MetadataExtractionQuery '{text}' is not supported by this emulator at character {_at + 1}; it must be an object of plain paths, such as {{customer:.customer.id,first:.list[0]}}.");
    }
}
