using System.Globalization;
using System.Text.Json;
using ChatPlatform.ServiceTests.Chat;

namespace ChatPlatform.ServiceTests.Events;

/// <summary>
/// The outage table: whatever is away, every acknowledged event reaches Kafka, in the order of its room. <c>OUTAGE_SECONDS</c> is how long something is away (default 3; 16 and 600 are the
/// long runs), <c>OUTAGE_RATE</c> the events a second meanwhile (default 100).
/// </summary>
public sealed class OutageTests
{
    private const int Stop = 19;
    private const int Continue = 18;
    private static readonly int Seconds = Setting("OUTAGE_SECONDS", 3);
    private static readonly int Rate = Setting("OUTAGE_RATE", 100);

    [Theory]
    [InlineData("nothing else")]
    [InlineData("kill -9 of the forwarder")]
    [InlineData("SIGTERM of the forwarder")]
    public async Task The_broker_is_away_and(string happens)
    {
        await using var services = new EventServices();
        await services.StartKafkaAsync();
        await services.StartForwarderAsync();
        await using var sender = new RetryingSender(services.ForwardPort, Rate);
        await sender.UntilAcknowledgedAsync(Rate / 2);

        services.Kafka!.Signal(Stop);
        await sender.UntilAcknowledgedAsync(sender.Acknowledged + (Rate * Seconds / 2));
        if (happens == "kill -9 of the forwarder")
            await services.Forwarder!.KillAsync();
        else if (happens == "SIGTERM of the forwarder")
            await services.Forwarder!.StopAsync();
        if (services.Forwarder!.HasExited)
            await services.StartForwarderAsync();
        await sender.UntilAcknowledgedAsync(sender.Acknowledged + (Rate * Seconds / 2));
        services.Kafka!.Signal(Continue);
        await sender.EndAsync();

        EveryAcknowledgedEventArrives(services, sender, happens);
    }

    [Fact]
    public async Task The_disk_is_full()
    {
        await using var services = new EventServices();
        await services.StartForwarderAsync(storageMegabytes: 6);
        await using var sender = new RetryingSender(services.ForwardPort, rate: 20_000, eventBytes: 4_000);
        await services.Forwarder!.WaitForAsync(() => Task.FromResult(services.Forwarder!.Output.Contains("could not be written", StringComparison.Ordinal)), "the disk to be full", TimeSpan.FromSeconds(60));
        // No more than the one message that found no room: the local cluster keeps 5 MB of a partition.
        var ending = sender.EndAsync();
        await services.StartKafkaAsync();
        await ending;

        EveryAcknowledgedEventArrives(services, sender, "full disk");
    }

    [Fact]
    public async Task The_forwarder_is_away_and_people_go_on_writing()
    {
        await using var services = new EventServices();
        var system = new ChatSystem { RelayCount = 0, EventsPort = services.ForwardPort };
        try
        {
            await system.InitializeAsync();
            var joon = await system.NewUserAsync("joon");
            var writers = await Task.WhenAll(Enumerable.Range(0, 10).Select(async n =>
            {
                var user = await system.NewUserAsync($"mina{n}");
                return (User: user, Room: await user.NewDirectAsync(joon, "bike"));
            }));
            var perWriter = Rate * Seconds / writers.Length;
            var started = TimeProvider.System.GetTimestamp();
            await Task.WhenAll(writers.Select(async writer =>
            {
                for (var i = 1; i <= perWriter; i++)
                {
                    var due = TimeSpan.FromSeconds((double)i * writers.Length / Rate) - TimeProvider.System.GetElapsedTime(started);
                    if (due > TimeSpan.Zero)
                        await Task.Delay(due);
                    (await writer.User.TrySendAsync(writer.Room, $"text {i}", $"m-{i}", api: i % 2)).Status.ShouldBe(System.Net.HttpStatusCode.Created);
                }
            }));

            await services.StartKafkaAsync();
            await services.StartForwarderAsync();

            var read = services.Read(r => Messages(r).Distinct().Count() >= writers.Length * perWriter);
            foreach (var (_, room) in writers)
                Messages(read.Where(e => e.Key == room)).Distinct().ShouldBe(Enumerable.Range(1, perWriter).Select(i => (room, $"m-{i}")));
        }
        finally
        {
            await system.DisposeAsync();
        }

        static IEnumerable<(string Room, string ClientMessageId)> Messages(IEnumerable<(string Key, string Value)> events) => events
            .Where(e => e.Value.Contains("\"chat.message.created.v1\"", StringComparison.Ordinal))
            .Select(e => (e.Key, JsonDocument.Parse(e.Value).RootElement.GetProperty("data").GetProperty("message").GetProperty("clientMessageId").GetString()!));
    }

    [Fact]
    public async Task An_API_server_is_killed_and_the_forwarder_was_away()
    {
        await using var services = new EventServices();
        var system = new ChatSystem { RelayCount = 0, EventsPort = services.ForwardPort };
        try
        {
            await system.InitializeAsync();
            var (mina, joon) = (await system.NewUserAsync("mina"), await system.NewUserAsync("joon"));
            var room = await mina.NewDirectAsync(joon, "bike");
            for (var i = 1; i <= 30; i++)
                (await mina.TrySendAsync(room, $"text {i}", $"m-{i}", api: i % 2)).Status.ShouldBe(System.Net.HttpStatusCode.Created);

            await system.ApiProcesses[0].KillAsync();
            await services.StartKafkaAsync();
            await services.StartForwarderAsync();

            // The server that lives sends its own events, and adopts those of the one that is gone.
            var read = services.Read(r => r.Count(e => e.Value.Contains("chat.message.created.v1", StringComparison.Ordinal)) >= 30);
            for (var i = 1; i <= 30; i++)
                read.ShouldContain(e => e.Key == room && e.Value.Contains($"\"clientMessageId\":\"m-{i}\"", StringComparison.Ordinal));
        }
        finally
        {
            await system.DisposeAsync();
        }
    }

    /// <summary>Also writes how many came twice, which is allowed and should be few.</summary>
    private static void EveryAcknowledgedEventArrives(EventServices services, RetryingSender sender, string run)
    {
        var wanted = sender.Acknowledged;
        var read = services.Read(r => r.Count >= wanted && r.Select(e => e.Value[..RetryingSender.NumberLength]).Distinct().Count() >= wanted);
        var first = read.Select(e => (e.Key, Number: int.Parse(e.Value.AsSpan(0, RetryingSender.NumberLength), CultureInfo.InvariantCulture))).Distinct().ToList();

        var missing = Enumerable.Range(0, wanted).Except(first.Select(e => e.Number)).Count();
        missing.ShouldBe(0, $"of {wanted} acknowledged; {read.Count} read. The forwarder says:\n{services.Forwarder!.Output}\nand Kafka:\n{services.Kafka!.Output}");
        foreach (var room in first.GroupBy(e => e.Key))
            room.Select(e => e.Number).ShouldBeInOrder();
        Console.WriteLine($"{run}: {wanted} acknowledged, {read.Count - first.Count} came twice");
    }

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : otherwise;
}
