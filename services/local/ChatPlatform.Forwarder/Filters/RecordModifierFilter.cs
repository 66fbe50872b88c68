using ChatPlatform.Forwarder.Configuration;

namespace ChatPlatform.Forwarder.Filters;

/// <summary>
/// Removes fields, or all but some, and appends others (https://docs.fluentbit.io/manual/pipeline/filters/record-modifier). Keys are compared without case and a trailing star takes every
/// key that begins so, as Fluent Bit's code does. A record that loses its last field goes no further, as there.
/// </summary>
internal sealed class RecordModifierFilter : Filter
{
    private readonly List<(string Name, byte[] Value)> _appended = [];
    private readonly List<string> _removed;
    private readonly List<string> _allowed;
    private readonly string? _uuidKey;

    public RecordModifierFilter(FileSection section)
    {
        foreach (var (key, value) in section.InOrder("record"))
        {
            if (Words(value, 2) is not [var name, var text])
                throw section.Invalid(key, value, "a key and a value");
            _appended.Add((name, Fields.Encode(text)));
        }

        _removed = [.. section.InOrder("remove_key").Select(key => key.Value)];
        _allowed = [.. section.InOrder("allowlist_key", "whitelist_key").Select(key => key.Value)];
        _uuidKey = section.Text("uuid_key");
        if (_removed.Count > 0 && _allowed.Count > 0)
            throw section.Wrong("allowlist_key", "'remove_key' and 'allowlist_key' exclude each other");
        if (_appended.Count + _removed.Count + _allowed.Count == 0 && _uuidKey is null)
            throw section.Wrong("none of 'record', 'remove_key', 'allowlist_key' and 'uuid_key' is set");
    }

    public override bool Apply(Fields fields)
    {
        if (_removed.Count > 0)
            fields.Remove(field => _removed.Exists(key => Names(key, field)));
        else if (_allowed.Count > 0)
            fields.Remove(field => !_allowed.Exists(key => Names(key, field)));
        foreach (var (name, value) in _appended)
            fields.Append(name, value);
        if (_uuidKey is not null)
            fields.Append(_uuidKey, Fields.Encode(Guid.NewGuid().ToString()));
        return fields.All.Count > 0;
    }

    private static bool Names(string key, Field field) => field.Name is { } name
        && (key.EndsWith('*') ? name.StartsWith(key[..^1], StringComparison.OrdinalIgnoreCase) : name.Equals(key, StringComparison.OrdinalIgnoreCase));
}
