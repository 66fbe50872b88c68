using System.Globalization;

namespace ChatPlatform.Smoke;

/// <summary>
/// The command line: <c>--apphost PATH</c> starts the system and stops it at the end; <c>--gateway URL --aws URL --kafka HOST:PORT --fcm URL [--dashboard
/// URL] [--dashboard-key KEY]</c>
/// takes one that runs. Both take <c>--conversation PATH</c> and <c>--patience SECONDS</c>.
/// </summary>
public sealed record SmokeArguments(string? AppHost, SystemEndpoints? Running, string Conversation, TimeSpan Patience)
{
    private static readonly string[] Known = ["apphost", "gateway", "aws", "kafka", "fcm", "dashboard", "dashboard-key", "conversation", "patience"];

    /// <exception cref="FormatException">One line that names the argument and what is allowed.</exception>
    public static SmokeArguments Parse(IReadOnlyList<string> words)
    {
        var given = new Dictionary<string, string>();
        for (var i = 0; i < words.Count; i += 2)
        {
            var name = words[i].StartsWith("--", StringComparison.Ordinal) ? words[i][2..] : "";
            if (!Known.Contains(name))
                throw new FormatException($"'{words[i]}' is no argument; there are {string.Join(", ", Known.Select(known => $"--{known}"))}.");
            given[name] = i + 1 < words.Count ? words[i + 1] : throw new FormatException($"--{name} needs a value.");
        }

        var seconds = 120.0;
        if (given.TryGetValue("patience", out var patience)
            && (!double.TryParse(patience, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out seconds) || seconds is < 1 or > 3600))
            throw new FormatException($"--patience is '{patience}'; it must be 1 to 3600 seconds.");
        var conversation = given.GetValueOrDefault("conversation") ?? Path.Combine(AppContext.BaseDirectory, "data", "conversation.jsonl");
        if (!File.Exists(conversation))
            throw new FormatException($"--conversation is '{conversation}'; there is no such file.");

        if (given.TryGetValue("apphost", out var appHost))
        {
            return File.Exists(appHost)
                ? new SmokeArguments(appHost, null, conversation, TimeSpan.FromSeconds(seconds))
                : throw new FormatException($"--apphost is '{appHost}'; there is no such file. Build it first.");
        }

        var running = new SystemEndpoints(Url("gateway"), Url("aws"), Required("kafka"), Url("fcm"))
        {
            DashboardUrl = given.ContainsKey("dashboard") ? Url("dashboard") : null,
            DashboardApiKey = given.GetValueOrDefault("dashboard-key"),
        };
        return new SmokeArguments(null, running, conversation, TimeSpan.FromSeconds(seconds));

        string Required(string name) => given.TryGetValue(name, out var value) ? value : throw new FormatException($"--{name} is missing; give --apphost, or all of --gateway, --aws, --kafka and --fcm.");
        Uri Url(string name) => Uri.TryCreate(Required(name), UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : throw new FormatException($"--{name} is '{given[name]}'; it must be an absolute http or https url.");
    }
}
