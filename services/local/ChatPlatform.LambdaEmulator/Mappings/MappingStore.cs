using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;

namespace ChatPlatform.LambdaEmulator.Mappings;

/// <summary>
/// Mappings and checkpoints as one small file each under <c>DataPath</c>; every write is a new file renamed over the old one, so that a kill leaves the one or the other.
/// An older checkpoint only means that records are handled again. Without a path all of it is in memory. Thread-safe for different shards; one shard's checkpoint has one writer.
/// </summary>
internal sealed class MappingStore(EmulatorOptions options)
{
    private readonly ConcurrentDictionary<string, byte[]> _memory = new();

    public IReadOnlyList<EventSourceMapping> LoadMappings() => [.. Load<EventSourceMapping>("mappings")];

    public void Save(EventSourceMapping mapping) => Write("mappings", mapping.Uuid.ToString(), mapping);

    /// <summary>Forgets the mapping first and then its checkpoints: a kill in between leaves files that nothing reads.</summary>
    public void Delete(Guid uuid)
    {
        Remove("mappings", uuid.ToString());
        foreach (var checkpoint in LoadCheckpoints(uuid))
            DeleteCheckpoint(uuid, checkpoint.ShardId);
    }

    public IReadOnlyList<ShardCheckpoint> LoadCheckpoints(Guid uuid) => [.. Load<ShardCheckpoint>(Folder(uuid))];

    public void Save(Guid uuid, ShardCheckpoint checkpoint) => Write(Folder(uuid), FileName(checkpoint.ShardId), checkpoint);

    public void DeleteCheckpoint(Guid uuid, string shardId) => Remove(Folder(uuid), FileName(shardId));

    private static string Folder(Guid uuid) => $"checkpoints/{uuid}";

    /// <summary>Shard ids are <c>shardId-…</c> in letters, digits and dashes at AWS; anything else is written in hexadecimal.</summary>
    private static string FileName(string shardId) =>
        shardId.Length <= 100 && shardId.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') ? shardId : Convert.ToHexStringLower(Encoding.UTF8.GetBytes(shardId));

    private IEnumerable<T> Load<T>(string folder)
    {
        if (options.DataPath is null)
        {
            foreach (var (_, bytes) in _memory.Where(e => e.Key.StartsWith(folder + "/", StringComparison.Ordinal)))
                yield return JsonSerializer.Deserialize<T>(bytes)!;
            yield break;
        }

        var path = Path.Combine(options.DataPath, folder);
        if (!Directory.Exists(path))
            yield break;
        foreach (var file in Directory.EnumerateFiles(path, "*.json"))
            yield return JsonSerializer.Deserialize<T>(File.ReadAllBytes(file)) ?? throw new InvalidDataException($"{file} is empty.");
    }

    private void Write<T>(string folder, string name, T value)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(value);
        if (options.DataPath is null)
        {
            _memory[$"{folder}/{name}"] = bytes;
            return;
        }

        var path = Directory.CreateDirectory(Path.Combine(options.DataPath, folder)).FullName;
        var file = Path.Combine(path, name + ".json");
        using (var stream = new FileStream(file + ".new", FileMode.Create, FileAccess.Write, FileShare.None))
        {
            stream.Write(bytes);
            stream.Flush(flushToDisk: true);
        }

        File.Move(file + ".new", file, overwrite: true);
    }

    private void Remove(string folder, string name)
    {
        if (options.DataPath is null)
            _memory.TryRemove($"{folder}/{name}", out _);
        else
            File.Delete(Path.Combine(options.DataPath, folder, name + ".json"));
    }
}
