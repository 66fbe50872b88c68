using System.Text.Json;
using System.Text.Json.Nodes;
using ChatPlatform.LocalAws.Firehose.Formats;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Glue;

/// <summary>
/// Databases and tables of the data catalogue, kept as <c>glue/catalog.json</c> (or in memory without a folder); names are case-insensitive and kept in lower case, as Glue does. Thread-safe.
/// </summary>
internal sealed class GlueCatalog
{
    private const string File = "catalog.json";
    private readonly Lock _gate = new();
    private readonly string? _folder;
    private readonly SortedDictionary<string, Database> _databases = new(StringComparer.Ordinal);

    public GlueCatalog(string? folder)
    {
        _folder = folder;
        if (folder is null || !System.IO.File.Exists(Path.Combine(folder, File)))
            return;
        foreach (var (name, database) in JsonSerializer.Deserialize<Dictionary<string, Database>>(System.IO.File.ReadAllBytes(Path.Combine(folder, File)))!)
            _databases.Add(name, database);
    }

    /// <param name="Definition">The DatabaseInput or TableInput, as given.</param>
    public sealed record Entry(JsonObject Definition, DateTimeOffset Created, DateTimeOffset Updated, int Version);

    public sealed record Database(Entry Own, SortedDictionary<string, Entry> Tables);

    public IReadOnlyList<(string Name, Entry Own)> Databases()
    {
        lock (_gate)
            return [.. _databases.Select(d => (d.Key, d.Value.Own))];
    }

    /// <exception cref="AwsException"><c>EntityNotFoundException</c>.</exception>
    public Entry GetDatabase(string name)
    {
        lock (_gate)
            return Find(name).Own;
    }

    /// <exception cref="AwsException"><c>EntityNotFoundException</c>.</exception>
    public IReadOnlyList<(string Name, Entry Own)> Tables(string database)
    {
        lock (_gate)
            return [.. Find(database).Tables.Select(t => (t.Key, t.Value))];
    }

    /// <exception cref="AwsException"><c>EntityNotFoundException</c>.</exception>
    public Entry GetTable(string database, string table)
    {
        lock (_gate)
            return Find(database).Tables.GetValueOrDefault(table.ToLowerInvariant()) ?? throw NotFound($"Table {table} not found.");
    }

    /// <summary>The columns of a table, partition columns not among them.</summary>
    public IReadOnlyList<TableColumn> ColumnsOf(string database, string table)
    {
        var columns = GetTable(database, table).Definition["StorageDescriptor"]?["Columns"] as JsonArray;
        return [.. (columns ?? []).Select(c => new TableColumn((string)c!["Name"]!, (string?)c["Type"] ?? "string"))];
    }

    /// <exception cref="AwsException"><c>AlreadyExistsException</c>.</exception>
    public void CreateDatabase(string name, JsonObject definition, DateTimeOffset now) => Change(() =>
    {
        if (!_databases.TryAdd(name.ToLowerInvariant(), new Database(new Entry(definition, now, now, 0), new(StringComparer.Ordinal))))
            throw new AwsException("AlreadyExistsException", "Database already exists.");
    });

    public void DeleteDatabase(string name) => Change(() =>
    {
        Find(name);
        _databases.Remove(name.ToLowerInvariant());
    });

    /// <exception cref="AwsException"><c>AlreadyExistsException</c>, <c>EntityNotFoundException</c>.</exception>
    public void CreateTable(string database, string table, JsonObject definition, DateTimeOffset now) => Change(() =>
    {
        if (!Find(database).Tables.TryAdd(table.ToLowerInvariant(), new Entry(definition, now, now, 0)))
            throw new AwsException("AlreadyExistsException", "Table already exists.");
    });

    public void UpdateTable(string database, string table, JsonObject definition, DateTimeOffset now) => Change(() =>
    {
        var current = GetTable(database, table);
        Find(database).Tables[table.ToLowerInvariant()] = current with { Definition = definition, Updated = now, Version = current.Version + 1 };
    });

    public void DeleteTable(string database, string table) => Change(() =>
    {
        GetTable(database, table);
        Find(database).Tables.Remove(table.ToLowerInvariant());
    });

    private static AwsException NotFound(string message) => new("EntityNotFoundException", message);

    private Database Find(string name) => _databases.GetValueOrDefault(name.ToLowerInvariant()) ?? throw NotFound($"Database {name} not found.");

    private void Change(Action change)
    {
        lock (_gate)
        {
            change();
            if (_folder is null)
                return;
            var path = Path.Combine(_folder, File);
            using (var file = new FileStream(path + ".new", FileMode.Create))
            {
                JsonSerializer.Serialize(file, _databases);
                file.Flush(flushToDisk: true);
            }

            System.IO.File.Move(path + ".new", path, overwrite: true);
        }
    }
}
