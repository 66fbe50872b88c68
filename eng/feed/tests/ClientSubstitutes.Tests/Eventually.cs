using System.Diagnostics;

namespace ClientSubstitutes.Tests;

/// <summary>Waits for a condition instead of for a time.</summary>
internal static class Eventually
{
    /// <summary>Asks again every 25 ms until the answer is true; an exception counts as false. Fails after ten seconds, with the last exception.</summary>
    public static async Task HoldsAsync(string what, Func<Task<bool>> condition)
    {
        Exception? last = null;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(10); await Task.Delay(25))
        {
            try
            {
                if (await condition())
                    return;
            }
            catch (Exception exception)
            {
                last = exception;
            }
        }

        throw new TimeoutException($"Not within ten seconds: {what}.", last);
    }
}
