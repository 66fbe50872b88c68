using System.Diagnostics.Metrics;
using System.IO.Compression;
using System.Text;
using ChatPlatform.AwsRules;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.S3.Objects;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.LocalAws.Firehose;

/// <summary>Rules: https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html and …/dev/basic-deliver.html.</summary>
public sealed class DeliveryStreamTests : IDisposable
{
    private const int MiB = 1024 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly string _folder = Directory.CreateTempSubdirectory("firehose-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly ObjectStore _store;
    private readonly Meter _meter = new("test");

    public DeliveryStreamTests() => _store = new ObjectStore(new MemoryMedium(), _time);

    [Fact]
    public async Task The_interval_runs_from_the_oldest_record_and_makes_one_gzip_object()
    {
        var lake = _store.CreateBucket("lake", "us-east-1");
        await using var streams = await StartAsync(Destination(interval: 60, format: "GZIP"));
        streams.Put("a\n");
        _time.Advance(TimeSpan.FromSeconds(59));
        streams.Put("b");
        lake.List(All).Objects.ShouldBeEmpty();
        _time.Advance(TimeSpan.FromSeconds(1));
        var metadata = (await ObjectsAsync(lake, 1)).Single().Metadata;
        metadata.Key.ShouldStartWith("2026/03/01/12/s-1-2026-03-01-12-00-00-");
        metadata.Key.ShouldEndWith(".gz");
        Unzip(lake, metadata).ShouldBe("a\nb");
    }

    [Fact]
    public async Task The_size_counted_before_compression_wins_over_a_longer_interval()
    {
        var lake = _store.CreateBucket("lake", "us-east-1");
        await using var streams = await StartAsync(Destination(interval: 900, format: "GZIP"));
        for (var i = 0; i < 3; i++)
            streams.Put(new string((char)('a' + i), 600 * 1024));
        var metadata = (await ObjectsAsync(lake, 1)).Single().Metadata;
        metadata.Size.ShouldBeLessThan(MiB);
        Unzip(lake, metadata).Length.ShouldBe(1_200 * 1024);
    }

    [Fact]
    public async Task A_missing_bucket_is_tried_again_until_it_is_there_and_nothing_is_lost()
    {
        await using var streams = await StartAsync(Destination(interval: 0));
        streams.Put("kept");
        await EventuallyAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return _failures >= 3;
        });
        var lake = _store.CreateBucket("lake", "us-east-1");
        await EventuallyAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            return lake.List(All).Objects.Count == 1;
        });
        Text(lake, lake.List(All).Objects.Single().Metadata).ShouldBe("kept");
    }

    [Fact]
    public async Task Buffered_records_keep_their_arrival_and_order_over_a_restart()
    {
        var lake = _store.CreateBucket("lake", "us-east-1");
        await using (var first = await StartAsync(Destination(interval: 60)))
        {
            first.Put("1\n", "2\n");
            _time.Advance(TimeSpan.FromSeconds(30));
        }

        await using var second = await StartAsync(null);
        second.Put("3\n");
        lake.List(All).Objects.ShouldBeEmpty();
        _time.Advance(TimeSpan.FromSeconds(30));
        var metadata = (await ObjectsAsync(lake, 1)).Single().Metadata;
        metadata.Key.ShouldStartWith("2026/03/01/12/s-1-2026-03-01-12-00-00-");
        Text(lake, metadata).ShouldBe("1\n2\n3\n");
    }

    [Theory]
    [OwnRules]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(17)]
    [InlineData(20)]
    public void A_torn_record_is_cut_off_and_what_stood_before_it_stays(int cut)
    {
        var path = Path.Combine(_folder, "000000000000.records");
        using (var segment = RecordSegment.Create(path, fsync: false))
        {
            segment.Append([Encoding.UTF8.GetBytes("whole")], _time.GetUtcNow());
            segment.Append([Encoding.UTF8.GetBytes("torn")], _time.GetUtcNow());
        }

        using (var file = File.OpenWrite(path))
            file.SetLength(file.Length - cut);
        RecordSegment.TryRecover(path, fsync: false, out var recovered).ShouldBeTrue();
        using (recovered)
        {
            recovered!.Append([Encoding.UTF8.GetBytes("next")], _time.GetUtcNow());
            recovered.Read().Select(r => Encoding.UTF8.GetString(r.Data.Span)).ShouldBe(["whole", "next"]);
            recovered.OldestArrival.ShouldBe(_time.GetUtcNow());
        }
    }

    [Fact]
    public void Whatever_byte_is_broken_the_records_before_it_are_read_and_no_wrong_one_is()
    {
        const int Seed = 7;
        var random = new Random(Seed);
        var texts = Enumerable.Range(0, 20).Select(i => new string((char)('a' + i), i)).ToArray();
        var whole = Path.Combine(_folder, "whole");
        using (var segment = RecordSegment.Create(whole, fsync: false))
            segment.Append([.. texts.Select(t => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(t))], _time.GetUtcNow());
        var bytes = File.ReadAllBytes(whole);
        for (var round = 0; round < 300; round++)
        {
            var broken = bytes.ToArray();
            broken[random.Next(24, broken.Length)] ^= (byte)random.Next(1, 256);
            var path = Path.Combine(_folder, $"broken{round}");
            File.WriteAllBytes(path, broken);
            RecordSegment.TryRecover(path, fsync: false, out var recovered).ShouldBeTrue();
            using (recovered)
            {
                var read = recovered!.Read().Select(r => Encoding.UTF8.GetString(r.Data.Span)).ToArray();
                read.ShouldBe(texts[..read.Length], $"seed {Seed}, round {round}");
                read.Length.ShouldBeLessThan(texts.Length);
            }
        }
    }

    [Fact]
    public async Task When_the_backlog_is_full_the_records_that_do_not_fit_fail_singly()
    {
        await using var streams = await StartAsync(Destination(interval: 900), backlog: MiB);
        var outcomes = streams.Put(new string('x', 900 * 1024), "fits", new string('y', 900 * 1024), "after");
        outcomes.Select(o => o.ErrorCode).ShouldBe([null, null, "ServiceUnavailableException", "ServiceUnavailableException"]);
        outcomes.Select(o => o.RecordId is not null).ShouldBe([true, true, false, false]);
    }

    [Fact]
    public async Task Changing_the_hints_applies_to_what_is_buffered_and_raises_the_version_in_the_name()
    {
        var lake = _store.CreateBucket("lake", "us-east-1");
        await using var streams = await StartAsync(Destination(interval: 900));
        streams.Put("now");
        streams.Streams.Update("s", "1", d => d with { IntervalInSeconds = 0 });
        (await ObjectsAsync(lake, 1)).Single().Metadata.Key.ShouldContain("/s-2-2026");
        Should.Throw<FirehoseException>(() => streams.Streams.Update("s", "1", d => d)).Type.ShouldBe("ConcurrentModificationException");
    }

    [Fact]
    public async Task A_zip_object_holds_one_entry()
    {
        var lake = _store.CreateBucket("lake", "us-east-1");
        await using var streams = await StartAsync(Destination(interval: 0, format: "ZIP"));
        streams.Put("zipped");
        var metadata = (await ObjectsAsync(lake, 1)).Single().Metadata;
        using var bytes = new MemoryStream();
        using (var open = lake.Open(metadata.Key, m => (0, m.Size)).Bytes)
            open.CopyTo(bytes);
        using var archive = new ZipArchive(bytes);
        using var reader = new StreamReader(archive.Entries.Single().Open());
        reader.ReadToEnd().ShouldBe("zipped");
    }

    public void Dispose()
    {
        _meter.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static ListQuery All => new("", "", "", false, 1_000);

    private int _failures;

    private static ExtendedS3Destination Destination(int interval, string format = "UNCOMPRESSED") => new()
    {
        RoleArn = "arn:aws:iam::000000000000:role/firehose",
        BucketArn = "arn:aws:s3:::lake",
        SizeInMBs = 1,
        IntervalInSeconds = interval,
        CompressionFormat = format,
    };

    private async Task<Running> StartAsync(ExtendedS3Destination? destination, long backlog = 100 * MiB)
    {
        var listener = new MeterListener { InstrumentPublished = (i, l) => l.EnableMeasurementEvents(i) };
        listener.SetMeasurementEventCallback<long>((instrument, _, _, _) =>
        {
            if (instrument.Meter == _meter && instrument.Name.EndsWith("failures", StringComparison.Ordinal))
                Interlocked.Increment(ref _failures);
        });
        listener.Start();
        var context = TestDelivery.Context(_store, _time, _meter, new FirehoseOptions { MaxBacklogBytes = backlog });
        var streams = new DeliveryStreams(Directory.CreateDirectory(Path.Combine(_folder, "firehose")).FullName, context);
        await streams.StartAsync(CancellationToken.None);
        if (destination is not null)
            await streams.CreateAsync("s", destination, new Dictionary<string, string>(), CancellationToken.None);
        return new Running(streams, listener);
    }

    private static async Task<IReadOnlyList<StoredObject>> ObjectsAsync(Bucket bucket, int count)
    {
        await EventuallyAsync(() => bucket.List(All).Objects.Count >= count);
        return bucket.List(All).Objects;
    }

    private static async Task EventuallyAsync(Func<bool> holds)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!holds())
            await Task.Delay(10, limit.Token);
    }

    private static string Text(Bucket bucket, ObjectMetadata metadata)
    {
        using var reader = new StreamReader(bucket.Open(metadata.Key, m => (0, m.Size)).Bytes);
        return reader.ReadToEnd();
    }

    private static string Unzip(Bucket bucket, ObjectMetadata metadata)
    {
        using var reader = new StreamReader(new GZipStream(bucket.Open(metadata.Key, m => (0, m.Size)).Bytes, CompressionMode.Decompress));
        return reader.ReadToEnd();
    }

    private sealed record Running(DeliveryStreams Streams, MeterListener Listener) : IAsyncDisposable
    {
        public PutOutcome[] Put(params string[] records) =>
            Streams.Get("s").Put([.. records.Select(r => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(r))]);

        public async ValueTask DisposeAsync()
        {
            Listener.Dispose();
            await Streams.StopAsync(CancellationToken.None);
        }
    }
}
