using System.Globalization;

namespace ChatPlatform.Smoke.Running;

/// <summary>A process of a tree; <paramref name="StartTicks"/> tells it from a later one with the same id.</summary>
public sealed record TreeProcess(int Id, int ParentId, ulong StartTicks, string Name, long ResidentBytes);

/// <summary>Reads processes from <c>/proc</c> (proc(5)); Linux only.</summary>
public static class ProcessTree
{
    /// <summary>The process and all its descendants that are alive now; empty when it is gone.</summary>
    public static IReadOnlyList<TreeProcess> Of(int rootId)
    {
        var all = Directory.EnumerateDirectories("/proc")
            .Select(path => int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? Read(id) : null)
            .OfType<TreeProcess>()
            .ToList();
        var children = all.ToLookup(process => process.ParentId);
        var tree = new List<TreeProcess>();
        var next = new Queue<TreeProcess>(all.Where(process => process.Id == rootId));
        while (next.TryDequeue(out var process))
        {
            tree.Add(process);
            foreach (var child in children[process.Id])
                next.Enqueue(child);
        }

        return tree;
    }

    /// <summary>Those that still run.</summary>
    public static IReadOnlyList<TreeProcess> StillRunning(IEnumerable<TreeProcess> processes) =>
        [.. processes.Where(process => Read(process.Id) is { } now && now.StartTicks == process.StartTicks)];

    private static TreeProcess? Read(int id)
    {
        try
        {
            return Parse(id, File.ReadAllText($"/proc/{id}/stat"), Environment.SystemPageSize);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It ended between the listing and the reading.
            return null;
        }
    }

    /// <summary>One line of <c>/proc/ID/stat</c>; null for a zombie, which holds nothing any more.</summary>
    internal static TreeProcess? Parse(int id, string stat, int pageSize)
    {
        // The name stands in parentheses and may itself hold any of them, and blanks.
        var (open, close) = (stat.IndexOf('('), stat.LastIndexOf(')'));
        var fields = stat[(close + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        // fields[0] is the third field of proc(5), the state.
        return fields[0] is "Z" or "X"
            ? null
            : new TreeProcess(
                id,
                int.Parse(fields[1], CultureInfo.InvariantCulture),
                ulong.Parse(fields[19], CultureInfo.InvariantCulture),
                stat[(open + 1)..close],
                long.Parse(fields[21], CultureInfo.InvariantCulture) * pageSize);
    }
}
