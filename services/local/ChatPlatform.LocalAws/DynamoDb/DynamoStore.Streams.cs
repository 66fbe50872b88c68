using System.Diagnostics.Metrics;
using System.Globalization;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.Streams;

namespace ChatPlatform.LocalAws.DynamoDb;

/// <summary>The life of streams and their shards, and the gauges of tables and streams.</summary>
internal sealed partial class DynamoStore
{
    /// <summary>Under <see cref="Gate"/>. A new stream with its shards, not yet stored.</summary>
    public StreamDefinition NewStream(TableDefinition table, string viewType)
    {
        var number = ++_lastStream;
        var now = Now;
        return new StreamDefinition
        {
            Number = number,
            TableName = table.Name,
            AttributeTypes = table.AttributeTypes,
            Keys = table.Keys,
            Label = now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff", CultureInfo.InvariantCulture),
            ViewType = viewType,
            CreatedAt = now,
            Shards = [.. Enumerable.Range(0, _options.ShardsPerStream).Select(slot => ShardDefinition.Open(number, slot, null, _sequence, now.ToUnixTimeMilliseconds()))],
        };
    }

    /// <summary>The same stream with all its shards closed after what is in them.</summary>
    public StreamDefinition Closed(StreamDefinition stream)
    {
        var now = Now;
        return stream with
        {
            ClosedAt = now,
            Shards = [.. stream.Shards.Select(s => s.EndSequence is null
                ? s with { EndSequence = Math.Max(_sequence, s.StartSequence), ClosedAt = now.ToUnixTimeMilliseconds() }
                : s)],
        };
    }

    /// <summary>
    /// Under <see cref="Gate"/>. Closes shards that are old enough, with a successor each, and forgets what is older than the retention. Both go into the log: a restart finds the
    /// same shards, and brings no record back.
    /// </summary>
    private void RenewShards()
    {
        var now = Now;
        foreach (var stream in _streams.Values.ToList())
        {
            if (stream.Definition.ClosedAt < now - ChangeStream.Retention)
            {
                _streams.Remove(stream.Definition.Number);
            }
            else if (stream.Renewed(now, _options.ShardLifetime, _sequence) is { } renewed)
            {
                Begin();
                _frame.DefineStream(renewed);
                Apply(renewed);
                End();
            }
        }
    }

    private void CreateGauges(Meter meter)
    {
        meter.CreateObservableCounter("localaws.log.flushes", () => _wal?.Flushes ?? 0, "{flush}", "How often the log was flushed to the disk.");
        meter.CreateObservableGauge("localaws.table.items", () => OfTables(t => t.Items.Count), "{item}", "Items of a table.");
        meter.CreateObservableGauge("localaws.table.size", () => OfTables(t => t.SizeBytes), "By", "Billed size of a table's items.");
        meter.CreateObservableGauge("localaws.stream.records", () => OfStreams<long>(s => s.Count), "{record}", "Records a stream keeps.");
        meter.CreateObservableGauge("localaws.stream.lag.records", () => OfStreams<long>(s => s.Unread().Count), "{record}",
            "Records after the furthest position that anybody has read in their shard.");
        meter.CreateObservableGauge("localaws.stream.lag.age",
            () => OfStreams(s => s.Unread().Oldest is { } oldest ? Math.Max(0, Now.ToUnixTimeMilliseconds() - oldest) / 1000.0 : 0), "s",
            "Age of the oldest record after the furthest position that anybody has read in its shard; 0 when there is none.");
    }

    private List<Measurement<long>> OfTables(Func<Table, long> value)
    {
        lock (Gate)
            return [.. _tables.Values.Select(t => new Measurement<long>(value(t), new KeyValuePair<string, object?>("table", t.Definition.Name)))];
    }

    private List<Measurement<T>> OfStreams<T>(Func<ChangeStream, T> value)
        where T : struct
    {
        lock (Gate)
        {
            return [.. _streams.Values.Select(s => new Measurement<T>(value(s),
                new KeyValuePair<string, object?>("table", s.Definition.TableName), new KeyValuePair<string, object?>("stream", s.Definition.Label)))];
        }
    }
}
