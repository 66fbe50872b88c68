using System.Diagnostics;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>
/// Everything that is compared after a replay. A check gives its detail or throws <see cref="CheckFailedException"/> with the first difference.
/// </summary>
public static class SmokeChecks
{
    /// <summary>Runs a step as a check of its own: any failure of the system or the connection to it is the check's, not the program's.</summary>
    public static async Task<CheckResult> RunAsync(string name, Func<CancellationToken, Task<string>> check, TimeSpan limit, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        using var timed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timed.CancelAfter(limit);
        try
        {
            return new CheckResult(name, true, await check(timed.Token), watch.Elapsed);
        }
        catch (OperationCanceledException) when (timed.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return new CheckResult(name, false, $"not done after {limit.TotalSeconds:0} s", watch.Elapsed);
        }
        catch (CheckFailedException failure)
        {
            return new CheckResult(name, false, failure.Message, watch.Elapsed);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            return new CheckResult(name, false, $"{error.GetType().Name}: {error.Message}", watch.Elapsed);
        }
    }

    /// <summary>
    /// Prepares, sends and checks. Stops early when the replay itself fails: there is nothing to compare then. <paramref name="patience"/> is how long
    /// one check waits for
    /// what arrives in its own time, the Firehose buffer above all.
    /// </summary>
    public static async Task<IReadOnlyList<CheckResult>> RunAllAsync(ConversationReplay replay, TimeSpan patience, CancellationToken cancellationToken)
    {
        List<CheckResult> results = [];
        if (!await Step("front_door", token => FrontDoorCheck.RunAsync(replay, token))
            || !await Step("everyone_in_place", token => SendCheck.PrepareAsync(replay, token))
            || !await Step("every_send_acknowledged", token => SendCheck.SendAsync(replay, token)))
            return results;

        await Step("retry_stores_nothing_new", token => RetryCheck.RunAsync(replay, token));
        await Step("websocket_every_byte", token => SocketCheck.RunAsync(replay, token));
        await Step("log_every_byte", token => LogCheck.RunAsync(replay, token));
        // These three wait for pipelines that run anyway, so they wait together; the table keeps their order.
        var later = await Task.WhenAll(
            Timed("kafka_every_byte", token => KafkaCheck.RunAsync(replay, patience, token)),
            Timed("lake_every_byte", token => LakeCheck.RunAsync(replay, patience, token)),
            Timed("push_per_missed_message", token => PushCheck.RunAsync(replay, patience, token)));
        results.AddRange(later);
        if (replay.System.DashboardUrl is not null)
            await Step("one_trace_through_all", token => TraceCheck.RunAsync(replay, patience, token));
        return results;

        async Task<bool> Step(string name, Func<CancellationToken, Task<string>> check)
        {
            var result = await Timed(name, check);
            results.Add(result);
            return result.Ok;
        }

        Task<CheckResult> Timed(string name, Func<CancellationToken, Task<string>> check) =>
            RunAsync(name, check, patience + TimeSpan.FromSeconds(60), cancellationToken);
    }
}
