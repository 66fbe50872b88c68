using System.Globalization;
using System.Text.RegularExpressions;

namespace ChatPlatform.LambdaEmulator;

/// <summary>A setting is missing or wrong; the message names key, value and what is allowed.</summary>
internal sealed class InvalidOptionException(string message) : Exception(message);

/// <summary>
/// One function: an ordinary program that speaks the Lambda Runtime API
/// (limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
/// </summary>
internal sealed record FunctionOptions
{
    public required string Name { get; init; }

    public required string Command { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Added to what Lambda sets.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>1 to 900 s; a process that takes longer is killed.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>128 to 10,240 MB: told to the function and printed in REPORT lines. The process's memory is not limited.</summary>
    public int MemorySize { get; init; } = 128;

    /// <summary><c>_HANDLER</c>.</summary>
    public string Handler { get; init; } = "bootstrap";
}

/// <summary>
/// The emulator's configuration: <c>DataPath</c>, <c>PollInterval</c>, <c>ShardDiscoveryInterval</c>, <c>RetryBackoff</c>, <c>MaximumConcurrency</c>, <c>IdleTime</c>, <c>AWS_REGION</c>, <c>ConnectionStrings:kafka</c>,
/// <c>Functions:NAME:Command|Arguments:0…|Environment:KEY|TimeoutSeconds|MemorySize|Handler</c>. Times are <c>hh:mm:ss.fff</c>.
/// </summary>
internal sealed partial record EmulatorOptions
{
    private static readonly string[] FunctionKeys = ["Command", "Arguments", "Environment", "TimeoutSeconds", "MemorySize", "Handler"];

    /// <summary>Where mappings and checkpoints are kept; null keeps them in memory.</summary>
    public string? DataPath { get; init; }

    /// <summary>The pause after a shard had nothing: "Lambda polls shards … at a base rate of 4 times per second" (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html).</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How often a stream is asked for new shards; the end of a shard asks at once.</summary>
    public TimeSpan ShardDiscoveryInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The first pause before a batch is retried; it doubles up to 60 times that. AWS documents no numbers.</summary>
    public TimeSpan RetryBackoff { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How many function processes may live at once, over all functions; one more is throttled (429).</summary>
    public int MaximumConcurrency { get; init; } = 16;

    /// <summary>How long a process without an invocation is kept.</summary>
    public TimeSpan IdleTime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The broker for on-failure destinations that are topics, <c>host:port</c>; null when there is none.</summary>
    public string? Kafka { get; init; }

    public string Region { get; init; } = "us-east-1";

    public string AccountId { get; init; } = "000000000000";

    public IReadOnlyDictionary<string, FunctionOptions> Functions { get; init; } = new Dictionary<string, FunctionOptions>();

    /// <summary>Reads and checks everything.</summary>
    /// <exception cref="InvalidOptionException">A value is missing or out of range, or a function has an unknown key.</exception>
    public static EmulatorOptions Read(IConfiguration configuration)
    {
        var defaults = new EmulatorOptions();
        var functions = new Dictionary<string, FunctionOptions>(StringComparer.Ordinal);
        foreach (var section in configuration.GetSection("Functions").GetChildren())
            functions.Add(section.Key, ReadFunction(section));

        return new EmulatorOptions
        {
            DataPath = configuration["DataPath"] is { Length: > 0 } path ? Path.GetFullPath(path) : null,
            PollInterval = Time(configuration, "PollInterval", defaults.PollInterval, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1)),
            ShardDiscoveryInterval = Time(configuration, "ShardDiscoveryInterval", defaults.ShardDiscoveryInterval, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(10)),
            RetryBackoff = Time(configuration, "RetryBackoff", defaults.RetryBackoff, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1)),
            MaximumConcurrency = Number(configuration, "MaximumConcurrency", defaults.MaximumConcurrency, 1, 256),
            IdleTime = Time(configuration, "IdleTime", defaults.IdleTime, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            Region = configuration["AWS_REGION"] ?? configuration["AWS_DEFAULT_REGION"] ?? defaults.Region,
            Kafka = configuration.GetConnectionString("kafka") is { Length: > 0 } kafka ? kafka : null,
            Functions = functions,
        };
    }

    private static FunctionOptions ReadFunction(IConfigurationSection section)
    {
        if (!FunctionName().IsMatch(section.Key))
            throw new InvalidOptionException($"{section.Path}: a function's name must be 1 to 64 of a-z, A-Z, 0-9, '-' and '_'.");
        foreach (var child in section.GetChildren())
        {
            if (!FunctionKeys.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                throw new InvalidOptionException($"{child.Path} is no setting of a function; allowed are {string.Join(", ", FunctionKeys)}.");
        }

        return new FunctionOptions
        {
            Name = section.Key,
            Command = section["Command"] is { Length: > 0 } command ? command : throw new InvalidOptionException($"{section.Path}:Command is not set; it must be the program to start."),
            Arguments = [.. section.GetSection("Arguments").GetChildren().OrderBy(a => int.TryParse(a.Key, out var i) ? i : int.MaxValue).Select(a => a.Value ?? "")],
            Environment = section.GetSection("Environment").GetChildren().ToDictionary(e => e.Key, e => e.Value ?? ""),
            Timeout = TimeSpan.FromSeconds(Number(section, "TimeoutSeconds", 60, 1, 900)),
            MemorySize = Number(section, "MemorySize", 128, 128, 10_240),
            Handler = section["Handler"] ?? "bootstrap",
        };
    }

    private static int Number(IConfiguration configuration, string key, int otherwise, int least, int most)
    {
        var text = configuration[key];
        if (string.IsNullOrEmpty(text))
            return otherwise;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw new InvalidOptionException($"{PathOf(configuration, key)} is '{text}'; it must be a whole number from {least} to {most}.");
    }

    private static TimeSpan Time(IConfiguration configuration, string key, TimeSpan otherwise, TimeSpan least, TimeSpan most)
    {
        var text = configuration[key];
        if (string.IsNullOrEmpty(text))
            return otherwise;
        return TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw new InvalidOptionException($"{PathOf(configuration, key)} is '{text}'; it must be a time hh:mm:ss.fff from {least} to {most}.");
    }

    private static string PathOf(IConfiguration configuration, string key) => configuration is IConfigurationSection section ? $"{section.Path}:{key}" : key;

    [GeneratedRegex("^[a-zA-Z0-9_-]{1,64}$")]
    private static partial Regex FunctionName();
}
