using ChatPlatform.Benchmarks;
using ChatPlatform.Benchmarks.Cdc;
using ChatPlatform.Benchmarks.Chat;
using ChatPlatform.Benchmarks.LocalAws;
using ChatPlatform.ServiceTests.Processes;

// ./dev bench NAME: one benchmark and its peer in the same run, a table with the ratio, and one machine-readable line.
switch (args)
{
    case ["chat", .. var options] when options.All(option => option is "--quick"):
        await ChatBenchmark.RunAsync(Console.Out, quick: options.Length > 0);
        return 0;
    case ["events"]:
        await EventsBenchmark.RunAsync(Console.Out);
        return 0;
    case ["localaws", .. var options] when options.All(option => option is "--quick" or "--memory"):
        try
        {
            new LocalAwsBenchmark(Console.Out, quick: options.Contains("--quick")).Run(onlyMemory: options.Contains("--memory"));
            return 0;
        }
        catch (InvalidOperationException error)
        {
            // Caught here, so that folders are deleted and processes ended.
            Console.Error.WriteLine($"bench: {error.Message}");
            return 1;
        }

    case ["cdc", .. var options] when options.All(option => option is "--quick"):
        await CdcBenchmark.RunAsync(Console.Out, ServiceProcess.RepositoryRoot, quick: options.Contains("--quick"));
        return 0;
    default:
        Console.Error.WriteLine("bench: name a benchmark: cdc [--quick], chat [--quick], events, or localaws [--quick] [--memory]");
        return 2;
}
