using System.Diagnostics;
using System.Text.Json;
using ChatPlatform.Smoke.Running;

namespace ChatPlatform.Benchmarks.LocalAws;

/// <summary>
/// LocalAws next to Amazon's DynamoDB Local, both as processes, both on disk, with one and the same light client (<see cref="HttpLoad"/>): the chat's requests at 1, 16
/// and 64 connections, in turn. Then LocalAws alone with a million items: its memory, its recovery, and its latency while it writes snapshots.
/// Peer's settings: <c>-dbPath FOLDER</c> (SQLite files), JVM as installed. Ours: <c>DataPath</c> set, <c>Fsync</c> off, as the AppHost runs it: an acknowledged write survives
/// kill -9, which is what DynamoDB Local's SQLite promises at most.
/// </summary>
internal sealed class LocalAwsBenchmark(TextWriter output, bool quick)
{
    private static readonly int[] Connections = [1, 16, 64];
    private readonly TimeSpan _round = TimeSpan.FromSeconds(quick ? 1 : 5);
    private readonly TimeSpan _warmUp = TimeSpan.FromSeconds(quick ? 1 : 4);
    private readonly int _items = quick ? 100_000 : 1_000_000;
    private readonly Dictionary<(string Operation, int Connections), (Row Ours, Row Peer)> _rows = [];
    private int _group;

    private sealed record Row(LoadResult Load, TimeSpan CpuPerRequest);

    /// <param name="onlyMemory">Leaves the comparison out, and with it the line of results.</param>
    /// <exception cref="InvalidOperationException">A server does not start, or answers something else than 200.</exception>
    public void Run(bool onlyMemory)
    {
        var root = Directory.CreateTempSubdirectory("bench-localaws-").FullName;
        try
        {
            if (!onlyMemory)
                Compare(root);
            var plain = Memory(root, streams: false);
            var streamed = Memory(root, streams: true);
            if (onlyMemory)
                return;
            var put = _rows[("put", 16)];
            var query = _rows[("query", 16)];
            output.WriteLine(FormattableString.Invariant(
                $"RESULT localaws put_ratio={put.Ours.Load.PerSecond / put.Peer.Load.PerSecond:0.0} query_ratio={query.Ours.Load.PerSecond / query.Peer.Load.PerSecond:0.0} transact_per_s={_rows[("transact", 16)].Ours.Load.PerSecond:0} p99_ms={put.Ours.Load.Latency.Percentile(0.99).TotalMilliseconds:0.00} mem_overhead_mb={plain:0} mem_overhead_stream_mb={streamed:0}"));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private void Compare(string root)
    {
        using var ours = StartLocalAws(Path.Combine(root, "ours"));
        using var peer = StartDynamoDbLocal(Path.Combine(root, "peer"));
        var requests = new Dictionary<ServerProcess, ChatRequests> { [ours] = new(), [peer] = new() };
        foreach (var (server, chat) in requests)
            Prepare(server, chat);

        output.WriteLine($"requests a second (percentiles in ms; processor time of the server a request in µs), {ChatRequests.ItemBytes}-byte items, {Connections[^1]} connections at most");
        output.WriteLine($"{"",-10}{"conns",6} | {"LocalAws/s",11}{"p50",8}{"p99",8}{"p99.9",8}{"cpu",7} | {"DDB Local/s",11}{"p50",8}{"p99",8}{"p99.9",8}{"cpu",7} | {"ratio",7}");
        foreach (var operation in (string[])["put", "get", "query", "transact"])
        {
            foreach (var (server, chat) in requests)
                Measure(server, chat, operation, 16, _warmUp);
            foreach (var connections in Connections)
            {
                var (mine, theirs) = (Measure(ours, requests[ours], operation, connections, _round), Measure(peer, requests[peer], operation, connections, _round));
                _rows[(operation, connections)] = (mine, theirs);
                output.WriteLine($"{operation,-10}{connections,6} | {Format(mine)} | {Format(theirs)} | {mine.Load.PerSecond / theirs.Load.PerSecond,7:0.0}{Refusals(mine, theirs)}");
            }
        }
    }

    private static string Format(Row row) =>
        $"{row.Load.PerSecond,11:0}{Milliseconds(row, 0.5)}{Milliseconds(row, 0.99)}{Milliseconds(row, 0.999)}{row.CpuPerRequest.TotalMicroseconds,7:0}";

    private static string Refusals(Row mine, Row theirs) =>
        mine.Load.Refused + theirs.Load.Refused == 0 ? "" : $"  answered 5xx: LocalAws {mine.Load.Refused}, DynamoDB Local {theirs.Load.Refused}";

    private static string Milliseconds(Row row, double share) => $"{row.Load.Latency.Percentile(share).TotalMilliseconds,8:0.00}";

    private static void Prepare(ServerProcess server, ChatRequests chat)
    {
        using var load = new HttpLoad(server.Port, 4);
        foreach (var table in ChatRequests.CreateTables(streams: true))
            load.Ask(table);
        Fill(load, chat, ChatRequests.Rooms * ChatRequests.MessagesPerRoom, ChatRequests.MessagesPerRoom);
        var page = JsonDocument.Parse(load.Ask(chat.Query())).RootElement;
        if (page.GetProperty("Count").GetInt32() != 30 || !page.GetProperty("Items")[0].GetProperty("seq").GetProperty("N").GetString()!.EndsWith("0124", StringComparison.Ordinal))
            throw new InvalidOperationException($"{server.Name} does not answer the 30 newest messages: {page}");
    }

    private static LoadResult Fill(HttpLoad load, ChatRequests chat, int items, int perRoom)
    {
        var (batch, batches) = (0L, ChatRequests.Batches(items));
        var filled = load.Run(TimeSpan.MaxValue, _ => batch < batches ? chat.Fill(batch++, perRoom) : null);
        return filled.Refused == 0 ? filled : throw new InvalidOperationException("A batch of messages was refused.");
    }

    private Row Measure(ServerProcess server, ChatRequests chat, string operation, int connections, TimeSpan time)
    {
        using var load = new HttpLoad(server.Port, connections);
        var group = ++_group;
        if (operation == "transact")
        {
            var made = 0;
            load.Run(TimeSpan.MaxValue, _ => made < connections ? chat.Room(group, made++) : null);
        }

        // A room has one sequencer: every connection is one, and knows where its room stands.
        var last = new long[connections];
        var cpu = server.Cpu;
        var result = load.Run(time, operation switch
        {
            "put" => _ => chat.Put(),
            "get" => _ => chat.Get(),
            "query" => _ => chat.Query(),
            _ => connection => chat.Transact(group, connection, last[connection]++),
        });
        return new Row(result, (server.Cpu - cpu) / Math.Max(1, result.Latency.Count));
    }

    /// <summary>The megabytes (10^6) that a process with so many items takes beside the items' own bytes.</summary>
    private double Memory(string root, bool streams)
    {
        const int perRoom = 100;
        var folder = Path.Combine(root, $"memory-{streams}");
        double overhead;
        using (var server = StartLocalAws(folder))
        {
            using var load = new HttpLoad(server.Port, 4);
            foreach (var table in ChatRequests.CreateTables(streams))
                load.Ask(table);
            var filled = Fill(load, new ChatRequests(), _items, perRoom);
            var bytes = JsonDocument.Parse(load.Ask(ChatRequests.DescribeTable())).RootElement.GetProperty("Table").GetProperty("TableSizeBytes").GetInt64();
            overhead = (server.Resident - bytes) / 1e6;
            output.WriteLine($"{_items} items {(streams ? "with a stream" : "without a stream")}: {_items / filled.Elapsed.TotalSeconds:0} a second in batches of 25; {bytes / 1e6:0.0} MB of items, "
                + $"{server.Resident / 1e6:0.0} MB resident, {overhead:0.0} MB beside the items; {server.PeakResident / 1e6:0.0} MB at the most");
        }

        // It was killed just now. Recovery, then puts while snapshots are being written, for which the threshold is low.
        using (var server = StartLocalAws(folder, snapshotAfter: 32 * 1024 * 1024))
        {
            using var load = new HttpLoad(server.Port, 16);
            var bytes = JsonDocument.Parse(load.Ask(ChatRequests.DescribeTable())).RootElement.GetProperty("Table").GetProperty("ItemCount").GetInt64();
            output.WriteLine($"  recovered {bytes} items in {server.StartedIn.TotalSeconds:0.0} s; {server.Resident / 1e6:0.0} MB resident");
            var chat = new ChatRequests();
            var (snapshots, latest) = (0, "");
            var watch = Stopwatch.StartNew();
            var looked = TimeSpan.Zero;
            var result = load.Run(_round * 2, _ =>
            {
                if (watch.Elapsed - looked > TimeSpan.FromMilliseconds(200))
                {
                    looked = watch.Elapsed;
                    var newest = Directory.EnumerateFiles(Path.Combine(folder, "dynamodb"), "snapshot-*").Order(StringComparer.Ordinal).LastOrDefault("");
                    snapshots += newest == latest ? 0 : 1;
                    latest = newest;
                }

                return chat.Put();
            });
            output.WriteLine($"  puts at 16 connections while snapshots are written ({snapshots} files seen): {result.PerSecond:0} a second, "
                + $"p99 {result.Latency.Percentile(0.99).TotalMilliseconds:0.00} ms, p99.9 {result.Latency.Percentile(0.999).TotalMilliseconds:0.00} ms, longest {result.Latency.Max.TotalMilliseconds:0.00} ms; "
                + $"{server.Resident / 1e6:0.0} MB resident, {server.PeakResident / 1e6:0.0} MB at the most");
        }

        return overhead;
    }

    private static ServerProcess StartLocalAws(string folder, long? snapshotAfter = null)
    {
        var port = FreePorts.Take(1)[0];
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        var service = Path.Combine(RepositoryRoot(), "services/local/ChatPlatform.LocalAws/bin", configuration, "net10.0/ChatPlatform.LocalAws.dll");
        var environment = new Dictionary<string, string> { ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}", ["DataPath"] = folder };
        if (snapshotAfter is { } bytes)
            environment["DynamoDb__SnapshotAfterBytes"] = $"{bytes}";
        return new ServerProcess("LocalAws", port, "dotnet", [service], environment);
    }

    private static ServerProcess StartDynamoDbLocal(string folder)
    {
        var port = FreePorts.Take(1)[0];
        Directory.CreateDirectory(folder);
        var (jar, library) = (Environment.GetEnvironmentVariable("DYNAMODB_LOCAL_JAR"), Environment.GetEnvironmentVariable("DYNAMODB_LOCAL_LIB"));
        if (jar is null || library is null)
            throw new InvalidOperationException("DYNAMODB_LOCAL_JAR and DYNAMODB_LOCAL_LIB must name DynamoDB Local; ./dev bench localaws sets them.");
        return new ServerProcess("DynamoDB Local", port, "java", [$"-Djava.library.path={library}", "-jar", jar, "-dbPath", folder, "-port", $"{port}"]);
    }

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "ChatPlatform.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("The benchmark does not lie in the repository.");
        return folder.FullName;
    }
}
