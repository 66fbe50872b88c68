using System.Diagnostics;

namespace ChatPlatform.Smoke.Checks;

/// <summary>Waits for what arrives in its own time.</summary>
public static class Waiting
{
    /// <summary>
    /// Asks every quarter of a second until <paramref name="difference"/> gives null.
    /// </summary>
    /// <exception cref="CheckFailedException">It still gives one after <paramref name="patience"/>; that is the message.</exception>
    public static async Task UntilAsync(Func<Task<string?>> difference, TimeSpan patience, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        while (await difference() is { } found)
        {
            if (watch.Elapsed > patience)
                throw new CheckFailedException($"{found} (after {watch.Elapsed.TotalSeconds:0} s)");
            await Task.Delay(250, cancellationToken);
        }
    }
}
