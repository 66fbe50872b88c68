using ChatPlatform.LocalAws.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChatPlatform.UnitTests.LocalAws;

public sealed class DataFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("--fsync --DataPath=FOLDER", true, true)]
    [InlineData("--DataPath=FOLDER", true, false)]
    [InlineData("--Fsync=true --DataPath=FOLDER", true, true)]
    [InlineData("--in-memory", false, false)]
    [InlineData("", false, false)]
    public void Flags_are_the_settings_they_stand_for(string arguments, bool kept, bool fsync)
    {
        using var folder = Open(arguments);
        (folder.Path is not null, folder.Fsync).ShouldBe((kept, fsync));
    }

    [Theory]
    [InlineData("--in-memory --DataPath=FOLDER", "InMemory (--in-memory) is true and DataPath is")]
    [InlineData("--fsync", "Fsync (--fsync) is true and there is no DataPath")]
    [InlineData("--fsync --in-memory", "Fsync (--fsync) is true and there is no DataPath")]
    [InlineData("--Fsync=maybe --DataPath=FOLDER", "Fsync is 'maybe'; it must be true or false.")]
    [InlineData("--InMemory=1", "InMemory is '1'; it must be true or false.")]
    public void Settings_that_contradict_each_other_are_refused_by_name(string arguments, string message) =>
        Should.Throw<DataFolderException>(() => Open(arguments)).Message.ShouldStartWith(message);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task With_fsync_a_frame_counts_as_written_only_after_a_flush_and_without_nothing_is_flushed(bool fsync)
    {
        await using var log = new WriteAheadLog(_folder, 0, fsync, NullLogger.Instance);
        for (var i = 1; i <= 5; i++)
        {
            await log.WaitAsync(log.Append("frame"u8));
            log.Flushes.ShouldBe(fsync ? i : 0);
        }
    }

    private DataFolder Open(string arguments) => DataFolderSetup.Open(new ConfigurationBuilder()
        .AddCommandLine(DataFolderSetup.ReadFlags(arguments.Replace("FOLDER", _folder, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries))).Build());
}
