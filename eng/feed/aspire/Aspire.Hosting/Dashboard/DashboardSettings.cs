using System.Security.Cryptography;

namespace Aspire.Hosting.Dashboard;

/// <summary>Where the dashboard listens and what it and its callers must show. Keys and tokens are null where anonymous use is allowed.</summary>
internal sealed record DashboardSettings(
    Uri Frontend,
    Uri OtlpGrpc,
    Uri OtlpHttp,
    int ResourceServicePort,
    string? BrowserToken,
    string? OtlpApiKey,
    string? ApiKey,
    string? ResourceServiceKey,
    string? ProgramPath,
    string ApplicationName)
{
    private static readonly Uri AnyPort = new("http://localhost:0");

    public static bool AllowsAnonymous(IConfiguration configuration) => configuration.GetValue("ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS", false)
        || configuration.GetValue("DOTNET_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS", false);

    public static DashboardSettings From(IConfiguration configuration, string appHostDirectory, DistributedApplicationOptions options)
    {
        var anonymous = AllowsAnonymous(configuration);
        return new DashboardSettings(
            Address("ASPNETCORE_URLS") ?? AnyPort,
            Address("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL") ?? AnyPort,
            Address("ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL") ?? AnyPort,
            Address("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL")?.Port ?? 0,
            anonymous ? null : configuration["AppHost:BrowserToken"] ?? Key(),
            anonymous ? null : configuration["AppHost:OtlpApiKey"] ?? Key(),
            anonymous ? null : configuration["AppHost:DashboardApiKey"] ?? Key(),
            anonymous ? null : Key(),
            configuration["DcpPublisher:DashboardPath"] ?? Find(appHostDirectory),
            options.DashboardApplicationName ?? options.AssemblyName ?? Path.GetFileName(appHostDirectory.TrimEnd('/')));

        Uri? Address(string key) => configuration[key]?.Split(';', StringSplitOptions.RemoveEmptyEntries) is [var first, ..] ? new Uri(first) : null;

        static string Key() => Convert.ToHexString(RandomNumberGenerator.GetBytes(16)).ToLowerInvariant();
    }

    /// <summary>The command line tool from which the dashboard is unpacked, in the npm folder of a repository above the AppHost.</summary>
    public static string? FindCommandLineTool(string appHostDirectory) => Ancestors(appHostDirectory)
        .Select(f => Path.Combine(f, "eng", "npm", "node_modules", "@microsoft", "aspire-cli-linux-x64", "bin", "aspire"))
        .FirstOrDefault(File.Exists);

    /// <summary>The unpacked dashboard: eng/npm/.aspire/versions/*/managed/aspire-managed, the newest.</summary>
    public static string? Find(string appHostDirectory) => Ancestors(appHostDirectory)
        .Select(f => Path.Combine(f, "eng", "npm", ".aspire", "versions"))
        .Where(Directory.Exists)
        .SelectMany(f => Directory.EnumerateDirectories(f).OrderDescending(StringComparer.Ordinal))
        .Select(f => Path.Combine(f, "managed", "aspire-managed"))
        .FirstOrDefault(File.Exists);

    private static IEnumerable<string> Ancestors(string folder)
    {
        for (var current = new DirectoryInfo(folder); current is not null; current = current.Parent)
        {
            yield return current.FullName;
        }
    }
}
