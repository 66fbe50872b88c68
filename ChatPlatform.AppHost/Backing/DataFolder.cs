using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;

namespace ChatPlatform.AppHost.Backing;

/// <summary>
/// Where everything local keeps its state: <c>.data</c> at the root of the repo, or <c>DataPath</c> from configuration. Deleting it while nothing runs starts afresh.
/// One AppHost at a time: the folder is held by a lock that ends with the process, however it ends.
/// </summary>
internal sealed class DataFolder
{
    // Never closed: the lock is to last as long as the process.
    private static FileStream? s_lock;

    private readonly string _root;

    public DataFolder(IConfiguration configuration, string appHostDirectory) =>
        _root = Path.GetFullPath(configuration["DataPath"] is { Length: > 0 } path ? path : Path.Combine(appHostDirectory, "..", ".data"));

    /// <summary>The full path of a folder below the root, made if it is missing.</summary>
    public string this[string name] => Directory.CreateDirectory(Path.Combine(_root, name)).FullName;

    /// <summary>Takes the folder for this process and leaves its id in <c>apphost.pid</c>, which <c>./dev stop</c> reads.</summary>
    /// <exception cref="StartProblem">Another AppHost runs on the folder, or it cannot be written.</exception>
    public void Claim()
    {
        Directory.CreateDirectory(_root);
        var path = Path.Combine(_root, "apphost.pid");
        try
        {
            s_lock = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            s_lock.SetLength(0);
            s_lock.Write(System.Text.Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n"));
            s_lock.Flush();
        }
        catch (IOException)
        {
            throw new StartProblem($"the system already runs on {_root}; stop it with ./dev stop, or set DataPath to another folder.");
        }
        catch (UnauthorizedAccessException)
        {
            throw new StartProblem($"{_root} cannot be written; set DataPath to a folder that can.");
        }
    }

    /// <summary>A secret of <paramref name="bytes"/> random bytes in base64, made once and kept with the data, readable by its owner only: tokens outlive a restart and no two machines share a key.</summary>
    public string Secret(string name, int bytes)
    {
        var path = Path.Combine(this["secrets"], name);
        if (!File.Exists(path))
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            using var file = new StreamWriter(path, options);
            file.Write(Convert.ToBase64String(RandomNumberGenerator.GetBytes(bytes)));
        }

        return File.ReadAllText(path);
    }
}
