using System.Diagnostics;
using System.Net;
using System.Text.Json;

namespace FeedBuilder;

/// <summary>The enabled package sources of this machine, the repository's own folder left out.</summary>
internal sealed class PackageSources : IDisposable
{
    private const int RequestsAtOnce = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly HttpClient _http = new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.All, MaxConnectionsPerServer = RequestsAtOnce })
    {
        Timeout = Patience,
    };

    private readonly IReadOnlyList<string> _locations;

    private PackageSources(IReadOnlyList<string> locations) => _locations = locations;

    /// <summary>Takes the list from <c>dotnet nuget list source</c>, so that every nuget.config that counts is counted.</summary>
    public static async Task<PackageSources> ListAsync(Repository repository)
    {
        var list = await DotNet.RunAsync(repository.Root, "nuget", "list", "source", "--format", "short");
        if (list.ExitCode != 0)
            throw new FeedException($"the package sources cannot be listed ({list.FirstError}); put nuget.config right");
        // "E " before an enabled source, "D " before a disabled one; "EM" marks the machine's own.
        var locations = list.Output
            .Where(line => line.StartsWith('E'))
            .Select(line => line[(line.IndexOf(' ') + 1)..].Trim())
            .Where(location => IsHttp(location) || Path.GetFullPath(location, repository.Root).TrimEnd('/') != repository.Packages)
            .ToList();
        return locations.Count > 0
            ? new PackageSources(locations)
            : throw new FeedException("no package source is enabled; add one: dotnet nuget add source https://api.nuget.org/v3/index.json -n nuget.org");
    }

    /// <summary>Those that no source serves at the pinned version. Every source is asked once for each id.</summary>
    /// <exception cref="UnreachableSourceException">A source does not answer.</exception>
    public async Task<IReadOnlyList<Substitute>> FindLackingAsync(IReadOnlyList<Substitute> substitutes)
    {
        var served = new bool[substitutes.Count];
        foreach (var location in _locations)
        {
            var serves = IsHttp(location) ? await AskFeedAsync(location, substitutes) : AskFolder(location, substitutes);
            for (var i = 0; i < served.Length; i++)
                served[i] |= serves[i];
        }

        return substitutes.Where((_, i) => !served[i]).ToList();
    }

    public void Dispose() => _http.Dispose();

    private static bool IsHttp(string location) =>
        location.StartsWith("https://", StringComparison.OrdinalIgnoreCase) || location.StartsWith("http://", StringComparison.OrdinalIgnoreCase);

    // A folder of packages is flat, or has a folder for each id and version in it.
    private static bool[] AskFolder(string folder, IReadOnlyList<Substitute> substitutes)
    {
        if (!Directory.Exists(folder))
            throw new UnreachableSourceException($"the package source {folder} is no folder; create it, or disable it: dotnet nuget disable source NAME");
        return substitutes
            .Select(substitute => File.Exists(Path.Combine(folder, substitute.FileName)) || Directory.Exists(Path.Combine(folder, substitute.Id.ToLowerInvariant(), substitute.Version)))
            .ToArray();
    }

    private async Task<bool[]> AskFeedAsync(string location, IReadOnlyList<Substitute> substitutes)
    {
        var packages = await PackageBaseAddressAsync(location);
        var serves = new bool[substitutes.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, substitutes.Count),
            new ParallelOptions { MaxDegreeOfParallelism = RequestsAtOnce },
            async (i, _) => serves[i] = await ServesAsync(location, packages, substitutes[i]));
        return serves;
    }

    private async Task<string> PackageBaseAddressAsync(string location)
    {
        using var index = await GetAsync(location, location) ?? throw Unreachable(location, "answers 404 for its service index");
        if (index.RootElement.ValueKind == JsonValueKind.Object && index.RootElement.TryGetProperty("resources", out var resources))
        {
            foreach (var resource in resources.EnumerateArray())
            {
                if (resource.TryGetProperty("@type", out var type) && type.ToString() == "PackageBaseAddress/3.0.0" && resource.TryGetProperty("@id", out var id))
                    return id.ToString().TrimEnd('/');
            }
        }

        throw Unreachable(location, "lists no PackageBaseAddress/3.0.0 and is no v3 source");
    }

    private async Task<bool> ServesAsync(string location, string packages, Substitute substitute)
    {
        using var versions = await GetAsync(location, $"{packages}/{substitute.Id.ToLowerInvariant()}/index.json");
        if (versions is null)
            return false;
        if (versions.RootElement.ValueKind != JsonValueKind.Object || !versions.RootElement.TryGetProperty("versions", out var list))
            throw Unreachable(location, $"answers for {substitute.Id} with no list of versions");
        return list.EnumerateArray().Any(version => string.Equals(version.ToString(), substitute.Version, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The document, or null where the source says 404. One failure is tried again.</summary>
    private async Task<JsonDocument?> GetAsync(string location, string address)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                using var response = await _http.GetAsync(address);
                if (response.StatusCode is HttpStatusCode.NotFound)
                    return null;
                if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
                    throw Unreachable(location, $"answers {(int)response.StatusCode} without a login");
                response.EnsureSuccessStatusCode();
                return await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync());
            }
            catch (Exception exception) when (attempt == 1 && exception is HttpRequestException { HttpRequestError: not HttpRequestError.NameResolutionError } or TaskCanceledException)
            {
                // A single lost answer is common; the second one is the source's.
                Debug.WriteLine(exception.Message);
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or JsonException)
            {
                throw Unreachable(location, exception switch
                {
                    TaskCanceledException => $"does not answer within {Patience.TotalSeconds} s",
                    JsonException => "does not answer with JSON",
                    _ => $"cannot be reached ({exception.Message.ReplaceLineEndings(" ")})",
                });
            }
        }
    }

    private static UnreachableSourceException Unreachable(string location, string what) =>
        new($"the package source {location} {what}; check the network and proxy, or disable it: dotnet nuget disable source NAME (names: dotnet nuget list source)");
}
