using System.Diagnostics;

namespace FeedBuilder;

/// <summary>What a run of <c>dotnet</c> printed, standard error after standard output.</summary>
internal sealed record DotNetRun(int ExitCode, IReadOnlyList<string> Output)
{
    /// <summary>The line that names the cause, for a message of one line.</summary>
    public string FirstError =>
        (Output.FirstOrDefault(line => line.Contains("error", StringComparison.OrdinalIgnoreCase)) ?? Output.FirstOrDefault(line => line.Trim().Length > 0) ?? $"exit code {ExitCode}").Trim();
}

/// <summary>Runs the dotnet that runs this program.</summary>
internal static class DotNet
{
    public static async Task<DotNetRun> RunAsync(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Nothing of a build may stay behind: no node that waits for the next build, no compiler server.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        start.Environment["UseSharedCompilation"] = "false";
        // The build that started this program must not steer the ones that it starts.
        start.Environment.Remove("MSBuildSDKsPath");
        start.Environment.Remove("MSBUILD_EXE_PATH");
        using var process = Process.Start(start) ?? throw new FeedException("dotnet did not start; install the .NET SDK 10.0.100 or newer");
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new DotNetRun(process.ExitCode, [.. (await output).Split('\n'), .. (await error).Split('\n')]);
    }
}
