using System.Text;
using ChatPlatform.Spool;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChatPlatform.UnitTests.Events;

public sealed class SpoolLogTests : IDisposable
{
    private static readonly CancellationToken Soon = CancellationToken.None;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_was_appended_comes_out_in_order_after_a_restart()
    {
        var sent = Enumerable.Range(0, 1_000).Select(i => $"frame {i} 안녕 {new string('x', i % 97)}").ToList();
        await using (var log = Open(new SpoolOptions { SegmentBytes = 4_000 }))
        {
            log.OpenCursor("one");
            foreach (var text in sent)
                await log.AppendAsync(Encoding.UTF8.GetBytes(text), Soon);
        }

        await using var again = Open(new SpoolOptions { SegmentBytes = 4_000 });
        (await DrainAsync(again, again.OpenCursor("one"))).ShouldBe(sent);
    }

    [Fact]
    public async Task Many_appenders_at_once_lose_nothing_and_keep_each_ones_order()
    {
        await using var log = Open(new SpoolOptions { SegmentBytes = 64_000 });
        var cursor = log.OpenCursor("one");
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async writer =>
        {
            for (var i = 0; i < 200; i++)
                await log.AppendAsync(Encoding.UTF8.GetBytes($"{writer}:{i}"), Soon);
        }));

        var read = await DrainAsync(log, cursor);
        read.Count.ShouldBe(3_200);
        foreach (var own in read.Select(r => r.Split(':')).GroupBy(r => r[0]))
            own.Select(r => int.Parse(r[1])).ShouldBe(Enumerable.Range(0, 200));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(17)]
    public async Task A_torn_tail_is_cut_and_every_frame_before_it_stays(int bytesLost)
    {
        await using (var log = Open(new SpoolOptions()))
        {
            log.OpenCursor("one");
            foreach (var text in (string[])["first", "second", "third"])
                await log.AppendAsync(Encoding.UTF8.GetBytes(text), Soon);
        }

        var segment = Directory.GetFiles(_folder.Path, "*.seg").Single();
        using (var file = new FileStream(segment, FileMode.Open))
            file.SetLength(file.Length - bytesLost);

        await using (var again = Open(new SpoolOptions()))
        {
            var cursor = again.OpenCursor("one");
            await again.AppendAsync("fourth"u8.ToArray(), Soon);
            (await DrainAsync(again, cursor)).ShouldBe(["first", "second", "fourth"]);
        }
    }

    [Theory]
    [InlineData(0, "second,third")]
    [InlineData(1, "first,third")]
    [InlineData(2, "first,second")]
    public async Task A_changed_byte_never_comes_out_as_a_frame_harms_no_neighbour_and_is_kept_aside(int damaged, string left)
    {
        string[] texts = ["first", "second", "third"];
        await using (var log = Open(new SpoolOptions()))
        {
            log.OpenCursor("one");
            foreach (var text in texts)
                await log.AppendAsync(Encoding.UTF8.GetBytes(text), Soon);
        }

        Flip(Directory.GetFiles(_folder.Path, "*.seg").Single(), bytes => bytes.IndexOf(Encoding.UTF8.GetBytes(texts[damaged])) + 2);

        await using var again = Open(new SpoolOptions());
        await again.AppendAsync("fourth"u8.ToArray(), Soon);
        (await DrainAsync(again, again.OpenCursor("one"))).ShouldBe([.. left.Split(','), "fourth"]);
        var cut = Directory.GetFiles(_folder.Path, "*.cut").ShouldHaveSingleItem();
        (await File.ReadAllBytesAsync(cut)).Length.ShouldBe(16 + texts[damaged].Length);
    }

    [Fact]
    public async Task A_length_that_was_damaged_while_the_log_is_open_costs_its_own_frame_only()
    {
        await using var log = Open(new SpoolOptions());
        var cursor = log.OpenCursor("one");
        foreach (var text in (string[])["first", "second", "third"])
            await log.AppendAsync(Encoding.UTF8.GetBytes(text), Soon);
        // The highest byte of the second frame's length.
        Flip(Directory.GetFiles(_folder.Path, "*.seg").Single(), bytes => bytes.IndexOf("second"u8) - 16 + 3);

        (await DrainAsync(log, cursor)).ShouldBe(["first", "third"]);
    }

    private static void Flip(string file, Func<Span<byte>, int> place)
    {
        using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[RandomAccess.GetLength(handle)];
        RandomAccess.Read(handle, bytes, 0);
        var at = place(bytes);
        RandomAccess.Write(handle, [(byte)(bytes[at] ^ 0xff)], at);
    }

    [Fact]
    public async Task Only_what_every_cursor_has_passed_is_deleted_and_each_cursor_goes_on_from_its_own_place()
    {
        await using (var log = Open(new SpoolOptions { SegmentBytes = 100 }))
        {
            var fast = log.OpenCursor("fast");
            log.OpenCursor("slow");
            for (var i = 0; i < 50; i++)
                await log.AppendAsync(Encoding.UTF8.GetBytes($"frame {i:D2}"), Soon);
            await DrainAsync(log, fast);
            log.PendingBytes.ShouldBe(log.End);
        }

        await using var again = Open(new SpoolOptions { SegmentBytes = 100 });
        again.OpenCursor("fast").PendingBytes.ShouldBe(0);
        var slow = again.OpenCursor("slow");
        (await DrainAsync(again, slow)).Count.ShouldBe(50);
        Directory.GetFiles(_folder.Path, "*.seg").Length.ShouldBe(1);
    }

    [Fact]
    public async Task A_full_spool_rejects_keeps_what_it_has_and_takes_again_after_a_delivery()
    {
        await using var log = Open(new SpoolOptions { LimitBytes = 1_000, SegmentBytes = 200 });
        var cursor = log.OpenCursor("one");
        var taken = 0;
        await Should.ThrowAsync<SpoolFullException>(async () =>
        {
            for (; ; taken++)
                await log.AppendAsync(new byte[84], Soon);
        });
        taken.ShouldBe(10);

        (await DrainAsync(log, cursor)).Count.ShouldBe(10);
        await log.AppendAsync(new byte[84], Soon);
    }

    [Fact]
    public async Task A_waiting_spool_holds_the_appender_back_until_there_is_room()
    {
        await using var log = Open(new SpoolOptions { LimitBytes = 1_000, WhenFull = WhenSpoolIsFull.Wait });
        var cursor = log.OpenCursor("one");
        for (var i = 0; i < 10; i++)
            await log.AppendAsync(new byte[84], Soon);
        var eleventh = log.AppendAsync(new byte[84], Soon).AsTask();
        eleventh.IsCompleted.ShouldBeFalse();
        using (var gone = new CancellationTokenSource())
        {
            var givenUp = log.AppendAsync(new byte[84], gone.Token).AsTask();
            await gone.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(() => givenUp);
        }

        await DrainAsync(log, cursor);
        await eleventh.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Processes_never_share_a_folder_and_a_new_one_adopts_what_a_dead_one_left()
    {
        var first = SpoolLog.OpenFirstFree(_folder.Path, new SpoolOptions(), TimeProvider.System, NullLogger.Instance);
        await using var second = SpoolLog.OpenFirstFree(_folder.Path, new SpoolOptions(), TimeProvider.System, NullLogger.Instance);
        second.Folder.ShouldNotBe(first.Folder);
        Should.Throw<IOException>(() => SpoolLog.Open(first.Folder, new SpoolOptions(), TimeProvider.System, NullLogger.Instance));
        first.OpenCursor("one");
        await first.AppendAsync("left behind"u8.ToArray(), Soon);
        await first.DisposeAsync();

        await using var third = SpoolLog.OpenFirstFree(_folder.Path, new SpoolOptions(), TimeProvider.System, NullLogger.Instance);
        (await DrainAsync(third, third.OpenCursor("one"))).ShouldBe(["left behind"]);
    }

    private SpoolLog Open(SpoolOptions options) => SpoolLog.Open(_folder.Path, options, TimeProvider.System, NullLogger.Instance);

    private static async Task<List<string>> DrainAsync(SpoolLog log, SpoolCursor cursor)
    {
        var read = new List<string>();
        while (cursor.PendingBytes > 0 && cursor.OldestPending >= TimeSpan.Zero && log.End > cursor.Position)
        {
            using var batch = await cursor.ReadAsync(cursor.Position, 1_000, Soon);
            read.AddRange(batch.Frames.Select(frame => Encoding.UTF8.GetString(frame.Span)));
            cursor.Advance(batch.End);
        }

        return read;
    }
}
