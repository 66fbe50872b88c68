using System.Diagnostics;
using ChatPlatform.Smoke;
using ChatPlatform.Smoke.Checks;
using ChatPlatform.Smoke.Conversations;
using ChatPlatform.Smoke.Replay;
using ChatPlatform.Smoke.Running;

using var interrupted = new CancellationTokenSource();
Console.CancelKeyPress += (_, key) =>
{
    key.Cancel = true;
    interrupted.Cancel();
};

SmokeArguments arguments;
Conversation conversation;
try
{
    arguments = SmokeArguments.Parse(args);
    conversation = ConversationLoader.Load(arguments.Conversation);
}
catch (FormatException error)
{
    Console.Error.WriteLine($"smoke: {error.Message}");
    return 2;
}

List<CheckResult> results = [];
var start = TimeSpan.Zero;
IReadOnlyList<TreeProcess> processes = [];
try
{
    if (arguments.Running is { } running)
    {
        await CheckAsync(running);
    }
    else
    {
        var watch = Stopwatch.StartNew();
        await using var appHost = AppHostProcess.Start(arguments.AppHost!);
        results.Add(await SmokeChecks.RunAsync(
            "start",
            async token =>
            {
                await appHost.WaitUntilHealthyAsync(TimeSpan.FromSeconds(110), token);
                return "everything is healthy";
            },
            TimeSpan.FromSeconds(120),
            interrupted.Token));
        start = watch.Elapsed;
        if (results[0].Ok)
            await CheckAsync(appHost.Endpoints);
        processes = appHost.Processes();
        results.Add(await SmokeChecks.RunAsync("stop", token => appHost.StopAsync(TimeSpan.FromSeconds(30), token), TimeSpan.FromSeconds(40), interrupted.Token));
        if (results.Any(result => !result.Ok))
            Console.Error.WriteLine($"The AppHost's last lines:\n{appHost.Output}\n");
    }
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("smoke: interrupted");
    return 130;
}

CheckTable.Write(Console.Out, results);
Console.WriteLine(CheckTable.ResultLine(results, start, processes.Sum(process => process.ResidentBytes) / 1048576.0, processes.Count));
return results.All(result => result.Ok) ? 0 : 1;

async Task CheckAsync(SystemEndpoints system)
{
    await using var replay = new ConversationReplay(system, conversation);
    results.AddRange(await SmokeChecks.RunAllAsync(replay, arguments.Patience, interrupted.Token));
}
