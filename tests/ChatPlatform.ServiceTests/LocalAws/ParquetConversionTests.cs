using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Amazon.S3.Model;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html; the files are read by DuckDB and by hyparquet.</summary>
public sealed class ParquetConversionTests
{
    private const string Columns =
        """[{"Name":"id","Type":"string"},{"Name":"n","Type":"bigint"},{"Name":"price","Type":"double"},{"Name":"sold","Type":"boolean"},{"Name":"tags","Type":"array<string>"},{"Name":"seller","Type":"struct<name:string,ratings:array<int>>"},{"Name":"counts","Type":"map<string,int>"}]""";

    [Theory]
    [InlineData("SNAPPY")]
    [InlineData("GZIP")]
    [InlineData("UNCOMPRESSED")]
    public async Task Two_readers_find_in_the_file_what_was_put(string compression)
    {
        await using var aws = await new ObjectStorageProcess(durable: false).StartAsync();
        await aws.Buckets.PutBucketAsync("lake");
        await CallAsync(aws, "CreateDeliveryStream", $$$$$"""
            {"DeliveryStreamName":"s","ExtendedS3DestinationConfiguration":{"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::lake","Prefix":"data/",
            "ErrorOutputPrefix":"errors/","BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":1},"DataFormatConversionConfiguration":{
            "InputFormatConfiguration":{"Deserializer":{"OpenXJsonSerDe":{}}},"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{"Compression":"{{{{{compression}}}}}"}}},
            "SchemaConfiguration":{"Columns":{{{{{Columns}}}}}}}}}
            """);
        var lines = Enumerable.Range(0, 400).Select(Line).ToArray();
        var records = string.Join(',', lines.Append("no json").Append("""{"n":"many"}""").Select(l => $"{{\"Data\":\"{Convert.ToBase64String(Encoding.UTF8.GetBytes(l))}\"}}"));
        await CallAsync(aws, "PutRecordBatch", $$"""{"DeliveryStreamName":"s","Records":[{{records}}]}""");

        var objects = new List<S3Object>();
        await aws.Process.WaitForAsync(
            async () => (objects = (await aws.Buckets.ListObjectsV2Async(new ListObjectsV2Request { BucketName = "lake" })).S3Objects ?? []).Count >= 2, "the file and the error object");
        var folder = Directory.CreateTempSubdirectory("parquet-").FullName;
        try
        {
            var file = Path.Combine(folder, "o.parquet");
            await DownloadAsync(aws, objects.Single(o => o.Key.StartsWith("data/", StringComparison.Ordinal) && o.Key.EndsWith(".parquet", StringComparison.Ordinal)).Key, file);
            var expected = lines.Select(Canonical).ToArray();
            DuckDb.Query($"select to_json(t)::varchar from read_parquet('{file}') t").Select(row => Canonical(row!)).ShouldBe(expected);
            (await HyparquetAsync(file)).Select(Canonical).ShouldBe(expected);

            var errors = Path.Combine(folder, "errors");
            await DownloadAsync(aws, objects.Single(o => o.Key.StartsWith("errors/format-conversion-failed", StringComparison.Ordinal)).Key, errors);
            File.ReadAllLines(errors).Select(l => Encoding.UTF8.GetString(JsonSerializer.Deserialize<JsonElement>(l).GetProperty("rawData").GetBytesFromBase64())).ShouldBe(["no json", """{"n":"many"}"""]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Line(int i) => (i % 4) switch
    {
        0 => $$$"""{"id":"{{{i}}} 안녕","n":{{{i}}},"price":{{{i}}}.5,"sold":true,"tags":["a",null,"b{{{i}}}"],"seller":{"name":"s","ratings":[1,{{{i}}}]},"counts":{"x":{{{i}}},"y":null}}""",
        1 => $$$"""{"id":"{{{i}}}","tags":[],"seller":{"name":null,"ratings":[]},"counts":{}}""",
        2 => $$"""{"n":{{i}}}""",
        _ => $$"""{"id":"{{i}}","sold":false,"seller":null,"tags":["only"]}""",
    };

    // Members in order of their names, those that are null left out.
    private static string Canonical(string json) => Sorted(JsonNode.Parse(json))!.ToJsonString();

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject members => new JsonObject(members.Where(m => m.Value is not null).OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => KeyValuePair.Create(m.Key, Sorted(m.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Sorted)]),
        JsonValue value when value.TryGetValue<double>(out var number) => JsonValue.Create(number),
        _ => node?.DeepClone(),
    };

    private static async Task<string[]> HyparquetAsync(string file)
    {
        var root = ServiceProcess.RepositoryRoot;
        using var node = Process.Start(new ProcessStartInfo("node", [Path.Combine(root, "tests/ChatPlatform.ServiceTests/LocalAws/read-parquet.mjs"), Path.Combine(root, "eng/npm"), file])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = node.StandardError.ReadToEndAsync();
        var output = await node.StandardOutput.ReadToEndAsync();
        await node.WaitForExitAsync();
        node.ExitCode.ShouldBe(0, await error);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static async Task DownloadAsync(ObjectStorageProcess aws, string key, string path)
    {
        using var got = await aws.Buckets.GetObjectAsync("lake", key);
        await using var file = File.Create(path);
        await got.ResponseStream.CopyToAsync(file);
    }

    private static async Task CallAsync(ObjectStorageProcess aws, string operation, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, aws.Url) { Content = new StringContent(body, Encoding.UTF8, "application/x-amz-json-1.1") };
        request.Headers.Add("X-Amz-Target", $"Firehose_20150804.{operation}");
        request.Headers.TryAddWithoutValidation("Authorization", "AWS4-HMAC-SHA256 Credential=local");
        using var answer = await aws.Http.SendAsync(request);
        ((int)answer.StatusCode).ShouldBe(200, await answer.Content.ReadAsStringAsync());
    }
}
