using ChatPlatform.Benchmarks;
using ChatPlatform.Benchmarks.Chat;
using ChatPlatform.Benchmarks.LocalAws;

// ./dev bench NAME: one benchmark and its peer in the same run, a table with the ratio, and one machine-readable line.
switch (args)
{
    case ["unwrap"]:
        UnwrapBenchmark.Run(Console.Out);
        return 0;
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

    default:
        Console.Error.WriteLine("bench: name a benchmark: unwrap, chat [--quick], events, or localaws [--quick] [--memory]");
        return 2;
}
