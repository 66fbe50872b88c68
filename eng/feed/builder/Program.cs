using FeedBuilder;

// FeedBuilder REPOSITORY [--keep]
// Asks the machine's package sources for each package that eng/feed can stand in for, and packs those that no source serves into eng/feed/packages.
// With --keep the packages there are known to be right, and sources that cannot be asked are no reason to stop.
if (args is not [var root, ..])
{
    Console.Error.WriteLine("dev: FeedBuilder was started without the repository's folder; run ./dev instead");
    return 2;
}

var repository = new Repository(Path.GetFullPath(root));
try
{
    var substitutes = repository.FindSubstitutes();
    IReadOnlyList<Substitute> lacking;
    using (var sources = await PackageSources.ListAsync(repository))
        lacking = await sources.FindLackingAsync(substitutes);
    repository.Forget(substitutes.Except(lacking));
    await Packing.PackAsync(repository, lacking);
    repository.WriteInUse(lacking);
    foreach (var substitute in lacking)
        Console.WriteLine($"substitute  {substitute.Id} {substitute.Version} (the package sources do not serve it)");
    return 0;
}
catch (UnreachableSourceException) when (args.Contains("--keep"))
{
    return 0;
}
catch (FeedException exception)
{
    Console.Error.WriteLine($"dev: {exception.Message}");
    return 1;
}
