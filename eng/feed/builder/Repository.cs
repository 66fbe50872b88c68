using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace FeedBuilder;

/// <summary>A package this repository can stand in for.</summary>
/// <param name="Id">The package id, which is the project file's name.</param>
/// <param name="Version">The version the repository pins, as NuGet normalises it.</param>
/// <param name="Project">The project's full path.</param>
internal sealed record Substitute(string Id, string Version, string Project)
{
    public string FileName => $"{Id}.{Version}.nupkg";
}

/// <summary>Where things lie, and which versions are pinned.</summary>
internal sealed partial class Repository(string root)
{
    public string Root => root;

    public string Feed { get; } = Path.Combine(root, "eng", "feed");

    public string Packages { get; } = Path.Combine(root, "eng", "feed", "packages");

    public string PackLog { get; } = Path.Combine(root, "eng", "feed", ".artifacts", "pack.log");

    // The repository's own folder of unpacked packages, unless the environment names another, as NuGet itself decides.
    private string UnpackedPackages => Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } own ? own : Path.Combine(root, ".packages");

    /// <summary>Every project of eng/feed but the builder and the tests, sorted by id.</summary>
    public IReadOnlyList<Substitute> FindSubstitutes()
    {
        var pinned = PinnedVersions();
        return Directory.EnumerateFiles(Feed, "*.csproj", SearchOption.AllDirectories)
            .Where(project => !Path.GetRelativePath(Feed, project).Split(Path.DirectorySeparatorChar)
                .Any(folder => folder is "builder" or "tests" or "bin" or "obj" or ".artifacts"))
            .Select(project =>
            {
                var id = Path.GetFileNameWithoutExtension(project);
                return new Substitute(id, VersionOf(id, pinned), project);
            })
            .OrderBy(substitute => substitute.Id, StringComparer.OrdinalIgnoreCase)
            .ToList();
    }

    /// <summary>Takes a substitute away: its package, and what a restore has unpacked of it.</summary>
    public void Forget(IEnumerable<Substitute> substitutes)
    {
        foreach (var substitute in substitutes)
        {
            foreach (var package in PackedVersions(substitute.Id))
                File.Delete(package);
            ForgetUnpacked(substitute);
        }
    }

    /// <summary>Removes the unpacked package, so that the next restore takes the new one. A real package of the same version stays.</summary>
    public void ForgetUnpacked(Substitute substitute)
    {
        var folder = Path.Combine(UnpackedPackages, substitute.Id.ToLowerInvariant(), substitute.Version.ToLowerInvariant());
        var manifest = Path.Combine(folder, $"{substitute.Id.ToLowerInvariant()}.nuspec");
        if (File.Exists(manifest) && File.ReadAllText(manifest).Contains("substitute for ", StringComparison.Ordinal))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>Packages of that id, of whatever version, that lie in the folder.</summary>
    public IEnumerable<string> PackedVersions(string id) =>
        Directory.EnumerateFiles(Packages, $"{id}.*.nupkg")
            .Where(package => Path.GetFileName(package)[(id.Length + 1)..] is [>= '0' and <= '9', ..]);

    /// <summary>Lists the packages that have to lie in the folder; ./dev looks for them before it trusts its stamp.</summary>
    public void WriteInUse(IEnumerable<Substitute> substitutes) =>
        File.WriteAllLines(Path.Combine(Packages, ".in-use"), substitutes.Select(substitute => substitute.FileName));

    private string VersionOf(string id, IReadOnlyDictionary<string, string> pinned)
    {
        // The SDK's version stands where MSBuild looks for it, in the AppHost's first line; Aspire.Hosting comes with Aspire.Hosting.AppHost.
        if (id == "Aspire.AppHost.Sdk" && AppHostSdkVersion() is { } sdk)
            return sdk;
        if (pinned.TryGetValue(id, out var version) || (id.StartsWith("Aspire.", StringComparison.Ordinal) && pinned.TryGetValue("Aspire.Hosting.AppHost", out version)))
            return version;
        throw new FeedException($"no version is pinned for {id}; add a PackageVersion for it to Directory.Packages.props");
    }

    private Dictionary<string, string> PinnedVersions()
    {
        var file = Path.Combine(root, "Directory.Packages.props");
        try
        {
            return XDocument.Load(file).Descendants("PackageVersion")
                .ToDictionary(line => (string)line.Attribute("Include")!, line => (string)line.Attribute("Version")!, StringComparer.OrdinalIgnoreCase);
        }
        catch (Exception exception) when (exception is IOException or System.Xml.XmlException or ArgumentException)
        {
            throw new FeedException($"{file} cannot be read ({exception.Message}); restore it from git");
        }
    }

    private string? AppHostSdkVersion() =>
        Directory.Exists(Path.Combine(root, "ChatPlatform.AppHost"))
            ? Directory.EnumerateFiles(Path.Combine(root, "ChatPlatform.AppHost"), "*.csproj")
                .Select(project => SdkAttribute().Match(File.ReadAllText(project)))
                .FirstOrDefault(match => match.Success)?.Groups[1].Value
            : null;

    [GeneratedRegex("Sdk=\"Aspire\\.AppHost\\.Sdk/([^\"]+)\"")]
    private static partial Regex SdkAttribute();
}
