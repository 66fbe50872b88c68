using ChatPlatform.Benchmarks;
using ChatPlatform.Benchmarks.Chat;

// ./dev bench NAME: one benchmark and its peer in the same run, a table with the ratio, and one machine-readable line.
switch (args)
{
    case ["unwrap"]:
        UnwrapBenchmark.Run(Console.Out);
        return 0;
    case ["chat"]:
        await ChatBenchmark.RunAsync(Console.Out);
        return 0;
    default:
        Console.Error.WriteLine("bench: name a benchmark: unwrap or chat");
        return 2;
}
