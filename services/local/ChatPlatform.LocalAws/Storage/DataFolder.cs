namespace ChatPlatform.LocalAws.Storage;

/// <summary>Where this process keeps what must outlive it.</summary>
/// <remarks>Configuration: <c>DataPath</c> (a folder; absent or empty = everything in memory only) and <c>Fsync</c> (<c>true</c> or <c>false</c>, the default).</remarks>
internal sealed class DataFolder : IDisposable
{
    /// <summary>The format this program writes. A folder that says a higher number was written by a newer one and is refused.</summary>
    public const int FormatVersion = 1;

    private readonly FileStream? _lock;

    /// <exception cref="InvalidOperationException">The folder is in use by another process, of a newer format, or cannot be written.</exception>
    public DataFolder(string? path, bool fsync = false)
    {
        Fsync = fsync;
        if (string.IsNullOrWhiteSpace(path))
            return;
        Path = System.IO.Path.GetFullPath(path);
        try
        {
            Directory.CreateDirectory(Path);
            _lock = new FileStream(System.IO.Path.Combine(Path, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (error is not (DirectoryNotFoundException or PathTooLongException))
        {
            throw new InvalidOperationException($"DataPath is '{Path}'; it is in use by another process or cannot be written: {error.Message}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new InvalidOperationException($"DataPath is '{Path}'; it must be a folder that can be written: {error.Message}", error);
        }

        var format = System.IO.Path.Combine(Path, "format");
        if (!File.Exists(format))
            File.WriteAllText(format, $"{FormatVersion}\n");
        else if (!int.TryParse(File.ReadAllText(format), out var version) || version > FormatVersion)
            throw new InvalidOperationException($"DataPath is '{Path}', of format {File.ReadAllText(format).Trim()}; this program reads formats up to {FormatVersion}.");
    }

    /// <summary>The absolute folder, or null when everything is in memory.</summary>
    public string? Path { get; }

    /// <summary>Whether a write is acknowledged only after the disk has it (survives a power cut), not just the operating system (survives a crash of this process).</summary>
    public bool Fsync { get; }

    /// <summary>A folder inside for one service, created when missing; null in memory.</summary>
    public string? Subfolder(string name) => Path is null ? null : Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;

    public void Dispose() => _lock?.Dispose();
}

internal static class DataFolderSetup
{
    /// <summary>Opens the folder that <c>DataPath</c> names, before anything else starts.</summary>
    /// <exception cref="InvalidOperationException">See <see cref="DataFolder"/>; or <c>Fsync</c> is neither true nor false.</exception>
    public static WebApplicationBuilder AddDataFolder(this WebApplicationBuilder builder)
    {
        var text = builder.Configuration["Fsync"];
        var fsync = false;
        if (!string.IsNullOrEmpty(text) && !bool.TryParse(text, out fsync))
            throw new InvalidOperationException($"Fsync is '{text}'; it must be true or false.");
        var folder = new DataFolder(builder.Configuration["DataPath"], fsync);
        builder.Services.AddSingleton(_ => folder);
        return builder;
    }
}
