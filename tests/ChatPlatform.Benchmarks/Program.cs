using ChatPlatform.Benchmarks;

// ./dev bench NAME: one benchmark and its peer in the same run, a table with the ratio, and one machine-readable line.
switch (args)
{
    case ["unwrap"]:
        UnwrapBenchmark.Run(Console.Out);
        return 0;
    case ["events"]:
        await EventsBenchmark.RunAsync(Console.Out);
        return 0;
    default:
        Console.Error.WriteLine("bench: name a benchmark: unwrap, events");
        return 2;
}
