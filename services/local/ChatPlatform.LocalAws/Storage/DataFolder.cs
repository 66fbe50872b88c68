namespace ChatPlatform.LocalAws.Storage;

/// <summary>The data folder, or a setting about it, does not let the process start; the message is one line for the person who starts it.</summary>
internal sealed class DataFolderException(string message, Exception? cause = null) : InvalidOperationException(message, cause);

/// <summary>Where this process keeps what must outlive it.</summary>
/// <remarks>Configuration: <c>DataPath</c> (a folder; absent or empty = everything in memory only), <c>Fsync</c> and <c>InMemory</c> (<c>true</c> or <c>false</c>, the default).</remarks>
internal sealed class DataFolder : IDisposable
{
    /// <summary>The format this program writes. A folder that says a higher number was written by a newer one and is refused.</summary>
    public const int FormatVersion = 1;

    private readonly FileStream? _lock;

    /// <exception cref="DataFolderException">The folder is in use by another process, of a newer format, or cannot be written.</exception>
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
            throw new DataFolderException($"DataPath is '{Path}'; it is in use by another process or cannot be written: {error.Message}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new DataFolderException($"DataPath is '{Path}'; it must be a folder that can be written: {error.Message}", error);
        }

        var format = System.IO.Path.Combine(Path, "format");
        if (!File.Exists(format))
            File.WriteAllText(format, $"{FormatVersion}\n");
        else if (!int.TryParse(File.ReadAllText(format), out var version) || version > FormatVersion)
            throw new DataFolderException($"DataPath is '{Path}', of format {File.ReadAllText(format).Trim()}; this program reads formats up to {FormatVersion}.");
    }

    /// <summary>The absolute folder, or null when everything is in memory.</summary>
    public string? Path { get; }

    /// <summary>Whether a write is acknowledged only after the disk has it (survives a power cut), not just the operating system (survives a crash of this process).</summary>
    public bool Fsync { get; }

    /// <summary>A folder inside for one service, created when missing; null in memory.</summary>
    public string? Subfolder(string name) => Path is null ? null : Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;

    /// <summary>Whether an error says that the disk does not take a write; .NET gives a limit on the size of files (EFBIG) as <see cref="ArgumentOutOfRangeException"/>.</summary>
    public static bool IsRefusal(Exception error) => error is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException;

    public void Dispose() => _lock?.Dispose();
}

internal static class DataFolderSetup
{
    /// <summary>The flags <c>--fsync</c> and <c>--in-memory</c> as the settings they stand for; other arguments stay as they are.</summary>
    public static string[] ReadFlags(string[] arguments) => [.. arguments.Select(argument => argument switch
    {
        "--fsync" => "--Fsync=true",
        "--in-memory" => "--InMemory=true",
        _ => argument,
    })];

    /// <summary>Opens the folder that <c>DataPath</c> names, before anything else starts.</summary>
    /// <exception cref="DataFolderException">See <see cref="DataFolder"/>; or <c>Fsync</c> or <c>InMemory</c> is neither true nor false, or contradicts the others.</exception>
    public static WebApplicationBuilder AddDataFolder(this WebApplicationBuilder builder)
    {
        var folder = Open(builder.Configuration);
        builder.Services.AddSingleton(_ => folder);
        return builder;
    }

    /// <exception cref="DataFolderException">As for <see cref="AddDataFolder"/>.</exception>
    public static DataFolder Open(IConfiguration configuration)
    {
        var path = configuration["DataPath"];
        var (fsync, inMemory) = (IsTrue(configuration, "Fsync"), IsTrue(configuration, "InMemory"));
        if (inMemory && !string.IsNullOrWhiteSpace(path))
            throw new DataFolderException($"InMemory (--in-memory) is true and DataPath is '{path}'; use one of them.");
        if (fsync && string.IsNullOrWhiteSpace(path))
            throw new DataFolderException("Fsync (--fsync) is true and there is no DataPath; name a folder, or leave Fsync out: memory has no disk to wait for.");
        return new DataFolder(path, fsync);
    }

    private static bool IsTrue(IConfiguration configuration, string key)
    {
        var value = false;
        return string.IsNullOrEmpty(configuration[key]) || bool.TryParse(configuration[key], out value)
            ? value
            : throw new DataFolderException($"{key} is '{configuration[key]}'; it must be true or false.");
    }
}
