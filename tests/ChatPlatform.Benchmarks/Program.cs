using ChatPlatform.Benchmarks;
using ChatPlatform.Benchmarks.LocalAws;

// ./dev bench NAME: one benchmark and its peer in the same run, a table with the ratio, and one machine-readable line.
switch (args)
{
    case ["unwrap"]:
        UnwrapBenchmark.Run(Console.Out);
        return 0;
    case ["localaws"] or ["localaws", "--quick"]:
        new LocalAwsBenchmark(Console.Out, quick: args.Length == 2).Run();
        return 0;
    default:
        Console.Error.WriteLine("bench: name a benchmark: unwrap, or localaws [--quick]");
        return 2;
}
