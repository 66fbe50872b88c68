namespace FeedBuilder;

/// <summary>Builds the substitutes that are needed, all of them in one run of MSBuild.</summary>
internal static class Packing
{
    /// <exception cref="FeedException">The build failed, or made a package of another version than the pinned one.</exception>
    public static async Task PackAsync(Repository repository, IReadOnlyList<Substitute> substitutes)
    {
        if (substitutes.Count == 0)
            return;

        // Packages of the versions pinned before go first: a restore must not find them.
        repository.Forget(substitutes);
        var run = await DotNet.RunAsync(
            repository.Root, "msbuild", Path.Combine(repository.Feed, "Pack.proj"), "-nologo", "-v:m", "-nodeReuse:false",
            $"-p:Substitutes={string.Join("%3B", substitutes.Select(substitute => substitute.Project))}");
        Directory.CreateDirectory(Path.GetDirectoryName(repository.PackLog)!);
        await File.WriteAllLinesAsync(repository.PackLog, run.Output);
        if (run.ExitCode != 0)
            throw new FeedException($"the substitutes do not build ({run.FirstError}); the whole output is in {repository.PackLog}");

        foreach (var substitute in substitutes)
        {
            if (!File.Exists(Path.Combine(repository.Packages, substitute.FileName)))
            {
                var made = string.Join(", ", repository.PackedVersions(substitute.Id).Select(Path.GetFileName));
                throw new FeedException($"{substitute.Project} made {(made.Length > 0 ? made : "no package")} and not {substitute.FileName}; set its Version to the pinned one");
            }
        }
    }
}
