using System.Globalization;

namespace ChatPlatform.Smoke.Checks;

/// <summary>Writes results as a table: one line a check, aligned, with its time.</summary>
public static class CheckTable
{
    public static void Write(TextWriter output, IReadOnlyCollection<CheckResult> results)
    {
        var width = results.Select(result => result.Name.Length).DefaultIfEmpty(5).Max();
        output.WriteLine($"{"check".PadRight(width)}  result     time  detail");
        foreach (var result in results)
        {
            var seconds = result.Elapsed.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture).PadLeft(6);
            output.WriteLine($"{result.Name.PadRight(width)}  {(result.Ok ? "ok    " : "FAILED")}  {seconds}s  {result.Detail.ReplaceLineEndings(" ")}");
        }
    }

    /// <summary>The last line: <c>RESULT smoke checks_passed=… checks_failed=… start_s=… rss_mb=… processes=…</c>.</summary>
    public static string ResultLine(IReadOnlyCollection<CheckResult> results, TimeSpan start, double residentMegabytes, int processes) => string.Create(
        CultureInfo.InvariantCulture,
        $"RESULT smoke checks_passed={results.Count(r => r.Ok)} checks_failed={results.Count(r => !r.Ok)} start_s={start.TotalSeconds:0.0} rss_mb={residentMegabytes:0} processes={processes}");
}
