using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>The AWS CLI and the AWS SDK for JavaScript v3 themselves against the real process. <c>./dev setup</c> installs both; a machine without them fails.</summary>
public sealed class ToolTests(SharedObjectStorage shared) : IClassFixture<SharedObjectStorage>, IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);
    private readonly string _folder = Directory.CreateTempSubdirectory("aws-tools-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("dynamodb.mjs")]
    [InlineData("s3.mjs")]
    public async Task The_JavaScript_SDK_works_unchanged(string script) =>
        (await RunAsync("node", Path.Combine(ServiceProcess.RepositoryRoot, "tests/ChatPlatform.ServiceTests/LocalAws/JavaScript", script))).ShouldContain("done");

    [Fact]
    public async Task The_CLI_writes_queries_and_transacts()
    {
        await AwsAsync("dynamodb", "create-table", "--table-name", "cli-rooms", "--billing-mode", "PAY_PER_REQUEST", "--attribute-definitions", "AttributeName=pk,AttributeType=S",
            "AttributeName=sk,AttributeType=N", "--key-schema", "AttributeName=pk,KeyType=HASH", "AttributeName=sk,KeyType=RANGE",
            "--stream-specification", "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES");
        var requests = string.Join(',', Enumerable.Range(0, 20).Select(i => $$$$$"""{"PutRequest":{"Item":{"pk":{"S":"r"},"sk":{"N":"{{{{{i}}}}}"},"text":{"S":"한글 {{{{{i}}}}}"}}}}"""));
        await AwsAsync("dynamodb", "batch-write-item", "--request-items", $$"""{"cli-rooms":[{{requests}}]}""");
        string[] query = ["dynamodb", "query", "--table-name", "cli-rooms", "--key-condition-expression", "pk = :p AND sk >= :s", "--expression-attribute-values", """{":p":{"S":"r"},":s":{"N":"5"}}"""];
        var all = await AwsAsync([.. query, "--page-size", "4"]);
        all.GetProperty("Items").EnumerateArray().Select(i => i.GetProperty("sk").GetProperty("N").GetString())
            .ShouldBe(Enumerable.Range(5, 15).Select(i => i.ToString(CultureInfo.InvariantCulture)));
        var first = await AwsAsync([.. query, "--max-items", "6"]);
        var rest = await AwsAsync([.. query, "--starting-token", first.GetProperty("NextToken").GetString()!]);
        rest.GetProperty("Items").GetArrayLength().ShouldBe(9);

        const string Key = """{"pk":{"S":"r"},"sk":{"N":"0"}}""";
        var updated = await AwsAsync("dynamodb", "update-item", "--table-name", "cli-rooms", "--key", Key, "--update-expression", "SET edits = if_not_exists(edits, :z) + :o",
            "--expression-attribute-values", """{":z":{"N":"0"},":o":{"N":"1"}}""", "--return-values", "ALL_NEW");
        updated.GetProperty("Attributes").GetProperty("edits").GetProperty("N").GetString().ShouldBe("1");
        const string Transaction =
            """[{"Put":{"TableName":"cli-rooms","Item":{"pk":{"S":"t"},"sk":{"N":"1"}},"ConditionExpression":"attribute_not_exists(pk)"}},{"Delete":{"TableName":"cli-rooms","Key":"""
            + Key + "}}]";
        await RunAsync("aws", "dynamodb", "transact-write-items", "--transact-items", Transaction);
        (await Should.ThrowAsync<ToolFailedException>(() => RunAsync("aws", "dynamodb", "transact-write-items", "--transact-items", Transaction)))
            .Message.ShouldContain("TransactionCanceledException");

        var arn = (await AwsAsync("dynamodbstreams", "list-streams", "--table-name", "cli-rooms")).GetProperty("Streams")[0].GetProperty("StreamArn").GetString()!;
        var records = 0;
        foreach (var shard in (await AwsAsync("dynamodbstreams", "describe-stream", "--stream-arn", arn)).GetProperty("StreamDescription").GetProperty("Shards").EnumerateArray())
        {
            var iterator = await AwsAsync("dynamodbstreams", "get-shard-iterator", "--stream-arn", arn, "--shard-id", shard.GetProperty("ShardId").GetString()!, "--shard-iterator-type", "TRIM_HORIZON");
            records += (await AwsAsync("dynamodbstreams", "get-records", "--shard-iterator", iterator.GetProperty("ShardIterator").GetString()!)).GetProperty("Records").GetArrayLength();
        }

        records.ShouldBe(23);
    }

    [Fact]
    public async Task The_CLI_syncs_a_folder_both_ways_with_a_file_in_parts_and_signs_urls()
    {
        var (local, back) = (Directory.CreateDirectory(Path.Combine(_folder, "local")).FullName, Path.Combine(_folder, "back"));
        Directory.CreateDirectory(Path.Combine(local, "sub folder", "더"));
        // Above 8 MB the CLI uploads in parts.
        var files = new Dictionary<string, byte[]>
        {
            ["a.txt"] = "hello"u8.ToArray(),
            ["empty"] = [],
            ["sub folder/더/b+c &.bin"] = RandomNumberGenerator.GetBytes(70_000),
            ["large.bin"] = RandomNumberGenerator.GetBytes(9 * 1024 * 1024),
        };
        foreach (var (name, content) in files)
            await File.WriteAllBytesAsync(Path.Combine(local, name), content);
        await RunAsync("aws", "s3", "mb", "s3://cli-files");
        await RunAsync("aws", "s3", "sync", local, "s3://cli-files/folder");
        (await RunAsync("aws", "s3", "sync", local, "s3://cli-files/folder")).ShouldNotContain("upload:");
        (await AwsAsync("s3api", "head-object", "--bucket", "cli-files", "--key", "folder/large.bin")).GetProperty("ETag").GetString()!.ShouldContain("-2");
        await RunAsync("aws", "s3", "sync", "s3://cli-files/folder", back);
        Directory.GetFiles(back, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(back, f)).Order().ShouldBe(files.Keys.Order());
        foreach (var (name, content) in files)
            (await File.ReadAllBytesAsync(Path.Combine(back, name))).ShouldBe(content, name);

        File.Delete(Path.Combine(local, "a.txt"));
        await RunAsync("aws", "s3", "sync", local, "s3://cli-files/folder", "--delete");
        (await RunAsync("aws", "s3", "ls", "s3://cli-files/folder/", "--recursive")).ShouldNotContain("a.txt");

        var url = (await RunAsync("aws", "s3", "presign", "s3://cli-files/folder/large.bin", "--expires-in", "60")).Trim();
        (await shared.Storage.Http.GetByteArrayAsync(url)).ShouldBe(files["large.bin"]);
        using var forged = await shared.Storage.Http.GetAsync(url.Replace("large.bin", "empty", StringComparison.Ordinal));
        ((int)forged.StatusCode).ShouldBe(403);
        await RunAsync("aws", "s3", "rb", "s3://cli-files", "--force");
    }

    private async Task<JsonElement> AwsAsync(params string[] arguments) =>
        JsonDocument.Parse(await RunAsync("aws", [.. arguments, "--output", "json"])).RootElement;

    /// <summary>Runs a tool to its end and gives its standard output.</summary>
    /// <exception cref="ToolFailedException">Another exit code than 0.</exception>
    private async Task<string> RunAsync(string tool, params string[] arguments)
    {
        // The CLI of Debian 12 is older than AWS_ENDPOINT_URL.
        var start = new ProcessStartInfo(tool, tool == "aws" ? ["--endpoint-url", shared.Storage.Url, .. arguments] : arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder };
        foreach (var (name, value) in new Dictionary<string, string>
        {
            ["AWS_ENDPOINT_URL"] = shared.Storage.Url,
            ["AWS_ACCESS_KEY_ID"] = "local",
            ["AWS_SECRET_ACCESS_KEY"] = ObjectStorageProcess.Secret,
            ["AWS_REGION"] = "ap-northeast-2",
            ["AWS_DEFAULT_REGION"] = "ap-northeast-2",
            // No file of the machine's user takes part.
            ["AWS_CONFIG_FILE"] = Path.Combine(_folder, "none"),
            ["AWS_SHARED_CREDENTIALS_FILE"] = Path.Combine(_folder, "none"),
            ["AWS_EC2_METADATA_DISABLED"] = "true",
            ["AWS_PAGER"] = "",
            ["PYTHONIOENCODING"] = "utf-8",
            ["LC_ALL"] = "C.UTF-8",
            ["TOOLS"] = Path.Combine(ServiceProcess.RepositoryRoot, "eng/npm"),
        })
            start.Environment[name] = value;

        using var process = Process.Start(start) ?? throw new ToolFailedException($"{tool} did not start.");
        using var limit = new CancellationTokenSource(Longest);
        try
        {
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
            await process.WaitForExitAsync(limit.Token);
            return process.ExitCode == 0 ? await output : throw new ToolFailedException($"{tool} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{await output}\n{await errors}");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }

    private sealed class ToolFailedException(string message) : Exception(message);
}
