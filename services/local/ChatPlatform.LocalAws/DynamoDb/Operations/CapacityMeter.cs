using System.Text.Json;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>
/// <c>ReturnConsumedCapacity</c>: read units are per 4 KB (half when eventually consistent), write units per 1 KB, twice in a transaction
/// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html). Not thread-safe.
/// </summary>
internal sealed class CapacityMeter
{
    private readonly string _mode;
    private readonly bool _transaction;
    private readonly SortedDictionary<string, Units>? _tables;

    /// <param name="mode"><c>NONE</c>, <c>TOTAL</c> or <c>INDEXES</c>.</param>
    /// <param name="transaction">Whether the answer splits reads and writes, and every unit counts twice.</param>
    public CapacityMeter(string mode, bool transaction = false)
    {
        (_mode, _transaction) = (mode, transaction);
        // Hardly anybody asks, and every request has a meter.
        _tables = mode == "NONE" ? null : new(StringComparer.Ordinal);
    }

    /// <summary>Whether anybody asked.</summary>
    public bool IsOn => _tables is not null;

    /// <summary>Units of reading so many bytes at once.</summary>
    public static double ReadUnits(long bytes, bool consistent) => Math.Max(1, (bytes + 4095) / 4096) * (consistent ? 1 : 0.5);

    /// <summary>Units of writing an item of so many bytes.</summary>
    public static double WriteUnits(long bytes) => Math.Max(1, (bytes + 1023) / 1024);

    public void AddRead(string table, double units, string? index = null, bool local = false) => Add(table, units, true, index, local);

    public void AddWrite(string table, double units, string? index = null, bool local = false) => Add(table, units, false, index, local);

    /// <summary>Writes <c>ConsumedCapacity</c> as one structure.</summary>
    public void WriteOne(Utf8JsonWriter json)
    {
        if (_tables is not { Count: > 0 })
            return;
        json.WritePropertyName("ConsumedCapacity");
        Write(json, _tables.First());
    }

    /// <summary>Writes <c>ConsumedCapacity</c> as a list, one per table.</summary>
    public void WriteList(Utf8JsonWriter json)
    {
        if (_tables is null)
            return;
        json.WriteStartArray("ConsumedCapacity");
        foreach (var table in _tables)
            Write(json, table);
        json.WriteEndArray();
    }

    private void Add(string table, double units, bool read, string? index, bool local)
    {
        if (_tables is null)
            return;
        if (!_tables.TryGetValue(table, out var sum))
            _tables[table] = sum = new Units();
        units *= _transaction ? 2 : 1;
        var part = index is null ? sum.Table : (local ? sum.Local : sum.Global).TryGetValue(index, out var known) ? known : (local ? sum.Local : sum.Global)[index] = new Pair();
        part.Read += read ? units : 0;
        part.Write += read ? 0 : units;
    }

    private void Write(Utf8JsonWriter json, KeyValuePair<string, Units> table)
    {
        var units = table.Value;
        json.WriteStartObject();
        json.WriteString("TableName", table.Key);
        Pair[] all = [units.Table, .. units.Local.Values, .. units.Global.Values];
        WriteUnits(json, all.Sum(p => p.Read), all.Sum(p => p.Write));
        if (_mode == "INDEXES")
        {
            json.WriteStartObject("Table");
            WriteUnits(json, units.Table.Read, units.Table.Write);
            json.WriteEndObject();
            WriteIndexes(json, "LocalSecondaryIndexes", units.Local);
            WriteIndexes(json, "GlobalSecondaryIndexes", units.Global);
        }

        json.WriteEndObject();
    }

    private void WriteIndexes(Utf8JsonWriter json, string name, SortedDictionary<string, Pair> indexes)
    {
        if (indexes.Count == 0)
            return;
        json.WriteStartObject(name);
        foreach (var (index, pair) in indexes)
        {
            json.WriteStartObject(index);
            WriteUnits(json, pair.Read, pair.Write);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private void WriteUnits(Utf8JsonWriter json, double read, double write)
    {
        json.WriteNumber("CapacityUnits", read + write);
        if (!_transaction)
            return;
        if (read > 0)
            json.WriteNumber("ReadCapacityUnits", read);
        if (write > 0)
            json.WriteNumber("WriteCapacityUnits", write);
    }

    private sealed class Pair
    {
        public double Read { get; set; }

        public double Write { get; set; }
    }

    private sealed class Units
    {
        public Pair Table { get; } = new();

        public SortedDictionary<string, Pair> Local { get; } = new(StringComparer.Ordinal);

        public SortedDictionary<string, Pair> Global { get; } = new(StringComparer.Ordinal);
    }
}
