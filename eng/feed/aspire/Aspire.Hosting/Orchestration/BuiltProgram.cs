using System.Xml;
using System.Xml.Linq;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>Finds what the build made of a project: bin/CONFIGURATION/FRAMEWORK/NAME, in the configuration the AppHost itself was built in.</summary>
internal static class BuiltProgram
{
    /// <exception cref="DistributedApplicationException">The project does not exist or has not been built.</exception>
    public static ProcessStart Of(ProjectResource resource, string configuration, List<string> arguments, Dictionary<string, string?> environment)
    {
        var path = resource.GetProjectMetadata().ProjectPath;
        if (!File.Exists(path))
        {
            throw new DistributedApplicationException($"The project file '{path}' of resource '{resource.Name}' does not exist.");
        }

        var folder = Path.GetDirectoryName(path)!;
        var assembly = AssemblyName(path);
        var output = Path.Combine(folder, "bin", configuration);
        var library = Directory.Exists(output)
            ? Directory.EnumerateFiles(output, assembly + ".dll", SearchOption.AllDirectories)
                .Where(f => File.Exists(Path.ChangeExtension(f, ".runtimeconfig.json")) && !f.Contains($"{Path.DirectorySeparatorChar}publish{Path.DirectorySeparatorChar}"))
                .OrderByDescending(File.GetLastWriteTimeUtc)
                .FirstOrDefault()
            : null;
        if (library is null)
        {
            throw new DistributedApplicationException(
                $"The program of project resource '{resource.Name}' is missing: no {assembly}.dll under '{output}'. Build the project: dotnet build \"{path}\" -c {configuration}");
        }

        var program = OperatingSystem.IsWindows() ? Path.ChangeExtension(library, ".exe") : library[..^".dll".Length];
        if (resource.LaunchProfile()?.CommandLineArgs is { Length: > 0 } fromProfile && arguments.Count == 0)
        {
            arguments = [.. fromProfile.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        }

        return File.Exists(program)
            ? new ProcessStart(program, arguments, folder, environment, InheritEnvironment: true)
            : new ProcessStart(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [library, .. arguments], folder, environment, InheritEnvironment: true);
    }

    private static string AssemblyName(string projectPath)
    {
        var fallback = Path.GetFileNameWithoutExtension(projectPath);
        try
        {
            return XDocument.Load(projectPath).Descendants("AssemblyName").LastOrDefault()?.Value is { Length: > 0 } name && !name.Contains('$') ? name : fallback;
        }
        catch (XmlException)
        {
            return fallback;
        }
    }
}
