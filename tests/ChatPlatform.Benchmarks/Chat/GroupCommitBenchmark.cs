using System.Diagnostics;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceTests.Chat;
using Grpc.Core;
using Grpc.Net.Client;

namespace ChatPlatform.Benchmarks.Chat;

/// <summary>
/// One room whose 50 members all write, each the next message when the last one is answered, half of them to either of two API servers, over gRPC. Messages a second with as many in a
/// transaction as wait and fit (<c>Sequencer:CommitSize</c> 49, as delivered), and with one in each (1). Nobody is connected, so that no fan-out is measured with it.
/// </summary>
internal static class GroupCommitBenchmark
{
    private const int Senders = 50;

    /// <summary>Gives <c>group_commit_ratio</c>.</summary>
    public static async Task<double> RunAsync(TextWriter output, bool quick, CancellationToken cancellationToken)
    {
        var duration = TimeSpan.FromSeconds(quick ? 3 : 10);
        var grouped = await MeasureAsync(49, duration, cancellationToken);
        var single = await MeasureAsync(1, duration, cancellationToken);
        var ratio = grouped / single;
        await output.WriteLineAsync(FormattableString.Invariant(
            $"(b) one room, {Senders} senders, {duration.TotalSeconds:0} s each: {grouped:0} messages/s with group commit, {single:0} with one per transaction: {ratio:0.00} times as many"));
        return ratio;
    }

    private static async Task<double> MeasureAsync(int commitSize, TimeSpan duration, CancellationToken cancellationToken)
    {
        var system = new ChatSystem
        {
            RelayCount = 0,
            KeepsData = true,
            ApiSettings = new Dictionary<string, string?> { ["Sequencer__CommitSize"] = commitSize.ToString(System.Globalization.CultureInfo.InvariantCulture) },
        };
        try
        {
            await system.InitializeAsync();
            await system.WaitForApiNodesAsync();
            var users = Enumerable.Range(0, Senders).Select(_ => system.NewLocalUser(TimeSpan.FromHours(2))).ToArray();
            var room = await users[0].NewGroupAsync(users[1..]);
            using var one = GrpcChannel.ForAddress(system.ApiGrpc[0]);
            using var two = GrpcChannel.ForAddress(system.ApiGrpc[1]);
            var servers = new[] { new ChatService.ChatServiceClient(one), new ChatService.ChatServiceClient(two) };
            await SendForAsync(duration / 2);
            return await SendForAsync(duration);

            async Task<double> SendForAsync(TimeSpan time)
            {
                var clock = Stopwatch.StartNew();
                var sent = await Task.WhenAll(users.Select((user, i) => Task.Run(
                    async () =>
                    {
                        var headers = new Metadata { { "authorization", "Bearer " + user.Token } };
                        var count = 0;
                        for (; clock.Elapsed < time; count++)
                        {
                            await servers[i % 2].SendMessageAsync(
                                new SendMessageRequest { RoomId = room, ClientMessageId = Guid.NewGuid().ToString(), Kind = "text", Text = "당근 있어요?" },
                                headers,
                                cancellationToken: cancellationToken);
                        }

                        return count;
                    },
                    cancellationToken)));
                return sent.Sum() / clock.Elapsed.TotalSeconds;
            }
        }
        finally
        {
            await system.DisposeAsync();
        }
    }
}
