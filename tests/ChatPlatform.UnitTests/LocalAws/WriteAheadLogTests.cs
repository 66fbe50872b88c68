using System.Text.Json;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>
/// The log's writer. Its disk is filled by laying a link to <c>/dev/full</c>, which answers ENOSPC to every write, where the next segment would be.
/// </summary>
public sealed class WriteAheadLogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Frames_of_many_writers_are_in_the_log_in_the_order_of_their_numbers_over_new_segments()
    {
        const int writers = 8;
        const int frames = 400;
        var owner = new Lock();
        await using (var log = new WriteAheadLog(_folder, 0, fsync: false, NullLogger.Instance))
        {
            await Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(async () =>
            {
                for (var i = 0; i < frames; i++)
                {
                    long number;
                    lock (owner)
                    {
                        number = Append(log);
                        if (number % 1000 == 0)
                            log.Rotate();
                    }

                    await log.WaitAsync(number);
                }
            })));
            // One that nobody waits for is written at the end.
            Append(log);
        }

        Stored().ShouldBe(Enumerable.Range(1, (writers * frames) + 1).Select(i => (long)i));
        Directory.GetFiles(_folder, "log-*.wal").Length.ShouldBe(1 + (writers * frames / 1000));
    }

    [Fact]
    public async Task What_a_full_disk_refuses_is_tried_again_until_it_is_written_once_and_in_its_place()
    {
        await using (var log = new WriteAheadLog(_folder, 0, fsync: false, NullLogger.Instance))
        {
            await log.WaitAsync(Append(log));
            var full = FillBehind(_folder, 1);
            log.Rotate();
            var refused = Append(log);
            (await Should.ThrowAsync<IOException>(() => log.WaitAsync(refused))).Message.ShouldContain("does not take writes");
            // Who comes later is refused at once, before anything is appended; what was written before stays good.
            Should.Throw<IOException>(log.ThrowIfFailing);
            await Should.ThrowAsync<IOException>(() => log.WaitAsync(refused));
            await log.WaitAsync(1);
            log.Written.ShouldBe(1);

            File.Delete(full);
            await UntilAsync(() => log.Written == refused);
            log.ThrowIfFailing();
            await log.WaitAsync(Append(log));
        }

        Stored().ShouldBe([1L, 2L, 3L]);
    }

    [Fact]
    public async Task While_the_disk_refuses_writes_no_read_tells_of_a_change_whose_writer_got_an_error()
    {
        // Frames of 300 kB: the fourth ends the segment, and there is no room for the next one.
        await using var aws = new LocalAwsServices(_folder, TimeProvider.System, ("DynamoDb:SnapshotAfterBytes", "1048576"));
        await aws.SendAsync("dynamodb", "CreateTable", """
            {"TableName":"rooms","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}
            """);
        for (var i = 1; i <= 3; i++)
            await PutAsync(i);
        var full = FillBehind(Path.Combine(_folder, "dynamodb"), 5);
        await ShouldFailAsync(PutAsync(4));
        await ShouldFailAsync(PutAsync(5));

        // In doubt until the disk takes it, and with it every answer that would tell of it.
        await ShouldFailAsync(GetAsync(4));
        await ShouldFailAsync(QueryAsync(4));
        await ShouldFailAsync(aws.SendAsync("dynamodb", "Scan", """{"TableName":"rooms"}"""));
        await ShouldFailAsync(aws.SendAsync("dynamodb", "BatchGetItem", """{"RequestItems":{"rooms":{"Keys":[{"id":{"S":"1"}},{"id":{"S":"4"}}]}}}"""));
        await ShouldFailAsync(aws.SendAsync("dynamodb", "TransactGetItems", """{"TransactItems":[{"Get":{"TableName":"rooms","Key":{"id":{"S":"4"}}}}]}"""));
        (await GetAsync(1)).TryGetProperty("Item", out _).ShouldBeTrue();
        (await GetAsync(5)).TryGetProperty("Item", out _).ShouldBeFalse();
        (await QueryAsync(2)).GetProperty("Count").GetInt32().ShouldBe(1);
        await aws.SendAsync("dynamodb", "DescribeTable", """{"TableName":"rooms"}""");

        File.Delete(full);
        await UntilAsync(async () =>
        {
            try
            {
                await PutAsync(6);
                return true;
            }
            catch (AwsException)
            {
                return false;
            }
        });
        (await GetAsync(4)).TryGetProperty("Item", out _).ShouldBeTrue();
        (await aws.SendAsync("dynamodb", "Scan", """{"TableName":"rooms","Select":"COUNT"}""")).GetProperty("Count").GetInt32().ShouldBe(4);

        Task<JsonElement> PutAsync(int id) => aws.SendAsync("dynamodb", "PutItem",
            $$$$"""{"TableName":"rooms","Item":{"id":{"S":"{{{{id}}}}"},"text":{"S":"{{{{new string('x', 300_000)}}}}"}}}""");

        Task<JsonElement> GetAsync(int id) => aws.SendAsync("dynamodb", "GetItem", $$$$"""{"TableName":"rooms","Key":{"id":{"S":"{{{{id}}}}"}}}""");

        Task<JsonElement> QueryAsync(int id) => aws.SendAsync("dynamodb", "Query",
            $$$$"""{"TableName":"rooms","KeyConditionExpression":"id = :id","ExpressionAttributeValues":{":id":{"S":"{{{{id}}}}"}}}""");

        async Task ShouldFailAsync(Task<JsonElement> request) => (await Should.ThrowAsync<AwsException>(() => request)).Type.ShouldBe("InternalServerError");
    }

    private static long Append(WriteAheadLog log) => log.Append(BitConverter.GetBytes(log.Appended + 1));

    /// <summary>No room for a segment after a frame; gives what to delete to make some.</summary>
    private static string FillBehind(string folder, long frame) => File.CreateSymbolicLink(WriteAheadLog.SegmentPath(folder, frame + 1), "/dev/full").FullName;

    private static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!await condition())
            await Task.Delay(20, limit.Token);
    }

    /// <summary>The frames in all segments.</summary>
    private List<long> Stored()
    {
        var found = new List<long>();
        foreach (var path in Directory.GetFiles(_folder, "log-*.wal").Order(StringComparer.Ordinal))
        {
            using var file = File.OpenRead(path);
            found.AddRange(LogFile.Read(file, WriteAheadLog.Mark, new LogFile.StrongBox()).Select(frame => BitConverter.ToInt64(frame.Span)));
        }

        return found;
    }
}
