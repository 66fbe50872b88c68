namespace ChatPlatform.UnitTests.Events;

internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("chat-events-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
