using System.Buffers;
using System.Text;
using MessagePack;

namespace ChatPlatform.Forwarder.Filters;

/// <param name="Name">The key's text; null where the key is no string, which no rule can name.</param>
/// <param name="Key">The key as MessagePack.</param>
/// <param name="Value">The value as MessagePack.</param>
internal readonly record struct Field(string? Name, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value);

/// <summary>A record's top level while filters work on it: fields in order, values as the bytes they came in. Reused from record to record; not thread-safe.</summary>
internal sealed class Fields
{
    private readonly List<Field> _all = [];

    public IReadOnlyList<Field> All => _all;

    /// <summary>Whether the record has to be written anew.</summary>
    public bool Changed { get; private set; }

    public void Load(ReadOnlyMemory<byte> map)
    {
        _all.Clear();
        Changed = false;
        var reader = new MessagePackReader(map);
        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            var start = (int)reader.Consumed;
            var name = reader.NextMessagePackType == MessagePackType.String ? reader.ReadString() : null;
            if (name is null)
                reader.Skip();
            var value = (int)reader.Consumed;
            reader.Skip();
            _all.Add(new Field(name, map[start..value], map[value..(int)reader.Consumed]));
        }
    }

    public void Write(ref MessagePackWriter writer)
    {
        writer.WriteMapHeader(_all.Count);
        foreach (var field in _all)
        {
            writer.WriteRaw(field.Key.Span);
            writer.WriteRaw(field.Value.Span);
        }
    }

    public bool Has(string name) => IndexOf(name) >= 0;

    // Not ": null": that would be the empty memory of a null array.
    public ReadOnlyMemory<byte>? Value(string name) => IndexOf(name) is >= 0 and var at ? _all[at].Value : default(ReadOnlyMemory<byte>?);

    /// <summary>Overwrites the field in its place, or appends it.</summary>
    public void Set(string name, ReadOnlyMemory<byte> value)
    {
        Changed = true;
        var field = new Field(name, Encode(name), value);
        if (IndexOf(name) is >= 0 and var at)
            _all[at] = field;
        else
            _all.Add(field);
    }

    public void Append(string name, ReadOnlyMemory<byte> value)
    {
        Changed = true;
        _all.Add(new Field(name, Encode(name), value));
    }

    public void Rename(string name, string newName)
    {
        Changed = true;
        var at = IndexOf(name);
        _all[at] = new Field(newName, Encode(newName), _all[at].Value);
    }

    public void Remove(Predicate<Field> which) => Changed |= _all.RemoveAll(which) > 0;

    /// <summary>Moves the fields that <paramref name="which"/> takes to the start or the end; their order among themselves stays.</summary>
    public void Move(Predicate<Field> which, bool toStart)
    {
        var moved = _all.FindAll(which);
        if (moved.Count == 0)
            return;
        Changed = true;
        _all.RemoveAll(which);
        _all.InsertRange(toStart ? 0 : _all.Count, moved);
    }

    public static byte[] Encode(string text)
    {
        var buffer = new ArrayBufferWriter<byte>(text.Length + 5);
        var writer = new MessagePackWriter(buffer);
        writer.Write(text);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>A string's text, <c>true</c> or <c>false</c> for a boolean; null for everything else, which no expression matches.</summary>
    public static string? Text(ReadOnlyMemory<byte> value)
    {
        var reader = new MessagePackReader(value);
        return reader.NextMessagePackType switch
        {
            MessagePackType.String => Encoding.UTF8.GetString(reader.ReadStringSequence()!.Value),
            MessagePackType.Boolean => reader.ReadBoolean() ? "true" : "false",
            _ => null,
        };
    }

    private int IndexOf(string name) => _all.FindIndex(field => field.Name == name);
}
