using System.Buffers;
using ChatPlatform.Forwarder.Delivery;
using MessagePack;

namespace ChatPlatform.Forwarder.Filters;

/// <summary>The filters of the file, in their order. One instance a connection, for its buffers; not thread-safe.</summary>
internal sealed class FilterChain(IReadOnlyList<Filter> filters, ForwarderMetrics metrics)
{
    private readonly ArrayBufferWriter<byte> _kept = new();
    private readonly Fields _fields = new();
    private string? _tag;
    private List<Filter> _matching = [];

    /// <param name="tag">The entries' tag.</param>
    /// <param name="entries">Checked entries.</param>
    /// <param name="count">How many; becomes how many are left.</param>
    /// <returns>What is left, valid until the next call: <paramref name="entries"/> themselves when no filter takes the tag.</returns>
    public ReadOnlyMemory<byte> Apply(string tag, ReadOnlyMemory<byte> entries, ref int count)
    {
        if (filters.Count == 0)
            return entries;
        if (tag != _tag)
            (_tag, _matching) = (tag, [.. filters.Where(filter => filter.Match.Matches(tag))]);
        if (_matching.Count == 0)
            return entries;

        _kept.ResetWrittenCount();
        var reader = new MessagePackReader(entries);
        count = 0;
        while (!reader.End)
        {
            var start = (int)reader.Consumed;
            reader.ReadArrayHeader();
            reader.Skip();
            var record = (int)reader.Consumed;
            reader.Skip();
            var end = (int)reader.Consumed;
            _fields.Load(entries[record..end]);
            if (!Passes())
                continue;
            count++;
            if (!_fields.Changed)
            {
                _kept.Write(entries.Span[start..end]);
                continue;
            }

            _kept.Write(entries.Span[start..record]);
            var writer = new MessagePackWriter(_kept);
            _fields.Write(ref writer);
            writer.Flush();
        }

        return _kept.WrittenMemory;
    }

    private bool Passes()
    {
        foreach (var filter in _matching)
        {
            if (filter.Apply(_fields))
                continue;
            metrics.Filtered(filter.Alias);
            return false;
        }

        return true;
    }
}
