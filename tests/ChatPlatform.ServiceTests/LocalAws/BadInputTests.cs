using System.Net.Sockets;
using System.Text;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using Amazon.S3;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>Connections that end too early, and folders and settings with which there is no start.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_body_cut_short_or_a_half_closed_connection_leaves_no_partial_write()
    {
        await using var running = await RunningLocalAws.StartAsync(_folder);
        using var buckets = new AmazonS3Client(new BasicAWSCredentials("local", "local"),
            new AmazonS3Config { ServiceURL = running.Url, AuthenticationRegion = "ap-northeast-2", ForcePathStyle = true, MaxErrorRetry = 0 });
        await buckets.PutBucketAsync("bucket");
        await running.DynamoDb.CreateTableAsync(
            new CreateTableRequest("cut", [new("pk", KeyType.HASH)], [new("pk", ScalarAttributeType.S)], null) { BillingMode = BillingMode.PAY_PER_REQUEST });
        var body = Encoding.UTF8.GetBytes("""{"TransactItems":[{"Put":{"TableName":"cut","Item":{"pk":{"S":"a"}}}},{"Put":{"TableName":"cut","Item":{"pk":{"S":"b"}}}}]}""");
        // The whole one but for its last byte, with room behind it, and one that is JSON but shorter than it says.
        foreach (var (sent, promised) in (ReadOnlySpan<(int, int)>)[(0, body.Length), (1, body.Length), (70, body.Length), (body.Length - 1, body.Length), (body.Length, body.Length + 10)])
        {
            foreach (var chunked in (ReadOnlySpan<bool>)[false, true])
            {
                var length = chunked ? "Transfer-Encoding: chunked" : $"Content-Length: {promised}";
                var head = Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\nX-Amz-Target: DynamoDB_20120810.TransactWriteItems\r\n"
                    + $"Content-Type: application/x-amz-json-1.0\r\n{length}\r\n\r\n");
                var chunk = chunked ? Encoding.ASCII.GetBytes($"{promised:x}\r\n") : [];
                var answer = Exchange(running.Url, [.. head, .. chunk, .. body[..sent]]);
                answer.ShouldNotContain(" 200 ", Case.Sensitive, $"{sent} of {promised} bytes, {length}");
            }
        }

        Exchange(running.Url, Encoding.ASCII.GetBytes("PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\nContent-Length: 1000\r\n\r\nonly this")).ShouldNotContain(" 200 ");

        (await running.DynamoDb.ScanAsync(new ScanRequest("cut"))).Count.ShouldBe(0);
        (await buckets.ListObjectsV2Async(new() { BucketName = "bucket" })).KeyCount.ShouldBe(0);
        Directory.GetFiles(Path.Combine(_folder, "s3", "staging")).ShouldBeEmpty();
        running.Process.HasExited.ShouldBeFalse();

        // A whole request by who will not send any more: it is carried out, once, or not at all.
        var put = Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\nX-Amz-Target: DynamoDB_20120810.TransactWriteItems\r\n"
            + $"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {body.Length}\r\n\r\n");
        Exchange(running.Url, [.. put, .. body]);
        (await running.DynamoDb.ScanAsync(new ScanRequest("cut"))).Count.ShouldBeOneOf(0, 2);
    }

    [Theory]
    [InlineData("of format 99; this program reads formats up to")]
    [InlineData("is in use by another process")]
    [InlineData("InMemory (--in-memory) is true and DataPath is", "--in-memory")]
    [InlineData("DynamoDb:ShardLifetime is 00:00:00; it must be from", "--DynamoDb:ShardLifetime=00:00:00")]
    [InlineData("Firehose:MaxBacklogBytes must be at least", "--Firehose:MaxBacklogBytes=1")]
    public async Task What_stops_the_start_is_said_in_one_line(string message, params string[] arguments)
    {
        if (message.Contains("format", StringComparison.Ordinal))
            await File.WriteAllTextAsync(Path.Combine(_folder, "format"), "99\n");
        await using var other = message.Contains("in use", StringComparison.Ordinal) ? await RunningLocalAws.StartAsync(_folder) : null;
        var environment = new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{ServiceProcess.FreePort()}", ["DataPath"] = _folder };
        await using var process = ServiceProcess.StartService("services/local/ChatPlatform.LocalAws", environment, arguments);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!process.HasExited || process.Output.Length == 0)
            await Task.Delay(20, limit.Token);
        process.ExitCode.ShouldBe(1);
        process.Output.ShouldContain(message);
        process.Output.ReplaceLineEndings("\n").Trim().ShouldNotContain("\n");
    }

    [Fact]
    public async Task In_memory_by_its_flag_keeps_nothing_and_fsync_by_its_flag_keeps_everything()
    {
        var environment = new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{ServiceProcess.FreePort()}" };
        foreach (var arguments in (string[][])[["--in-memory"], ["--fsync", $"--DataPath={_folder}"]])
        {
            await using var process = ServiceProcess.StartService("services/local/ChatPlatform.LocalAws", environment, arguments);
            await process.WaitForHealthAsync($"{environment["ASPNETCORE_URLS"]}/health");
            using var client = new AmazonDynamoDBClient(new BasicAWSCredentials("local", "local"), new AmazonDynamoDBConfig { ServiceURL = environment["ASPNETCORE_URLS"], MaxErrorRetry = 0 });
            await client.CreateTableAsync(new CreateTableRequest("kept", [new("pk", KeyType.HASH)], [new("pk", ScalarAttributeType.S)], null) { BillingMode = BillingMode.PAY_PER_REQUEST });
            await client.PutItemAsync("kept", new() { ["pk"] = new() { S = arguments[0] } });
            await process.KillAsync();
        }

        await using var again = await RunningLocalAws.StartAsync(_folder);
        (await again.DynamoDb.ScanAsync(new ScanRequest("kept"))).Items.Single()["pk"].S.ShouldBe("--fsync");
    }

    /// <summary>Sends bytes, closes the sending half, and gives what comes back until the server closes.</summary>
    private static string Exchange(string url, byte[] request)
    {
        var address = new Uri(url);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 20_000 };
        socket.Connect(address.Host, address.Port);
        socket.Send(request);
        socket.Shutdown(SocketShutdown.Send);
        var answer = new StringBuilder();
        var buffer = new byte[4_096];
        try
        {
            while (socket.Receive(buffer) is var count and > 0)
                answer.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionReset)
        {
            // An answer too: the server wants no more of it.
            return answer.ToString();
        }

        return answer.ToString();
    }
}
