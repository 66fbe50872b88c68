using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using Amazon.KinesisFirehose.Model;
using ChatPlatform.AppHost.Backing;
using ChatPlatform.Contracts.Tables;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.AppHost.Pipelines;

/// <summary>Change data capture for one table: stream → function → delivery stream → GZIP objects of JSON lines in the lake.</summary>
internal static class CdcPipeline
{
    /// <summary>The bucket that all pipelines write to, each under its own prefix.</summary>
    public const string Bucket = "chat-lake";

    /// <summary>
    /// Adds the pipeline <paramref name="name"/> for <paramref name="table"/>: the function <c>NAME-cdc</c>, the delivery stream <c>NAME-stream</c> and the event source mapping.
    /// Records that can never be delivered are under <c>aws/lambda/</c> in the same bucket. The objects are <c>NAME/year=…/month=…/day=…/hour=…/…gz</c>. Where AWS runs functions (<paramref name="lambda"/> is null) a stack makes all of it and nothing is added here.
    /// </summary>
    public static void AddCdcPipeline(
        this IDistributedApplicationBuilder builder, string name, TableSchema table, AwsEdge aws, IResourceBuilder<ProjectResource>? lambda, IResourceBuilder<SetupStep> tables)
    {
        if (lambda is null)
            return;

        var (function, deliveryStream) = ($"{name}-cdc", $"{name}-stream");
        var (command, arguments) = FunctionProgram();
        var settings = $"Functions__{function}__";
        lambda.WithEnvironment(settings + "Command", command);
        for (var i = 0; i < arguments.Length; i++)
            lambda.WithEnvironment($"{settings}Arguments__{i}", arguments[i]);
        lambda.WithEnvironment(settings + "Environment__DELIVERY_STREAM", deliveryStream);
        lambda.WithEnvironment(settings + "Environment__KIND_FIELD", "type");

        var interval = BufferSeconds(builder.Configuration["Lake:BufferSeconds"]);
        builder.AddSetupStep($"{name}-pipeline", async (log, cancellationToken) =>
            {
                await AwsProvisioning.EnsureBucketAsync(aws, Bucket, cancellationToken);
                await AwsProvisioning.EnsureDeliveryStreamAsync(aws, DeliveryStream(name, deliveryStream, interval), cancellationToken);
                var stream = await AwsProvisioning.StreamArnAsync(aws, table.Name, cancellationToken);
                await MapAsync(new Uri(lambda.GetEndpoint("http").Url), stream, function, cancellationToken);
                log.LogInformation("{Stream} → {Function} → {DeliveryStream} → s3://{Bucket}/{Name}/", stream, function, deliveryStream, Bucket, name);
            })
            .WaitFor(lambda)
            .WaitForCompletion(tables);
    }

    /// <summary>Firehose's own range and our default of a minute (https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html).</summary>
    private static int BufferSeconds(string? set)
    {
        if (string.IsNullOrEmpty(set))
            return 60;
        return int.TryParse(set, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0 and <= 900
            ? seconds
            : throw new StartProblem($"Lake__BufferSeconds is '{set}'; it must be a number of seconds from 0 to 900.");
    }

    /// <summary>The built function of this repo, in the configuration that this AppHost was built in.</summary>
    private static (string Command, string[] Arguments) FunctionProgram()
    {
        var project = new Projects.ChatPlatform_CdcLambda().ProjectPath;
        var configuration = typeof(CdcPipeline).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        return ("dotnet", [Path.Combine(Path.GetDirectoryName(project)!, "bin", configuration, "net10.0", "ChatPlatform.CdcLambda.dll")]);
    }

    private static CreateDeliveryStreamRequest DeliveryStream(string name, string deliveryStream, int interval) => new()
    {
        DeliveryStreamName = deliveryStream,
        DeliveryStreamType = "DirectPut",
        ExtendedS3DestinationConfiguration = new ExtendedS3DestinationConfiguration
        {
            RoleARN = $"arn:aws:iam::{AwsEdge.LocalAccount}:role/{deliveryStream}",
            BucketARN = $"arn:aws:s3:::{Bucket}",
            Prefix = name + "/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/",
            ErrorOutputPrefix = "errors/!{firehose:error-output-type}/" + name + "/",
            BufferingHints = new BufferingHints { SizeInMBs = 128, IntervalInSeconds = interval },
            CompressionFormat = "GZIP",
        },
    };

    /// <summary>https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html</summary>
    private static async Task MapAsync(Uri lambda, string streamArn, string function, CancellationToken cancellationToken)
    {
        using var client = new HttpClient { BaseAddress = lambda };
        using var answer = await client.PostAsJsonAsync("/2015-03-31/event-source-mappings/", new
        {
            EventSourceArn = streamArn,
            FunctionName = function,
            StartingPosition = "TRIM_HORIZON",
            BatchSize = 1000,
            BisectBatchOnFunctionError = true,
            // About an hour with the emulator's pauses. A record that can never be delivered is then alone, thanks to bisecting, and lies in the bucket instead of blocking its shard.
            MaximumRetryAttempts = 120,
            DestinationConfig = new { OnFailure = new { Destination = $"arn:aws:s3:::{Bucket}" } },
            FunctionResponseTypes = new[] { "ReportBatchItemFailures" },
        }, JsonSerializerOptions.Default, cancellationToken);
        // A conflict is a mapping from an earlier run, which goes on from its checkpoint.
        if (!answer.IsSuccessStatusCode && answer.StatusCode != HttpStatusCode.Conflict)
            throw new HttpRequestException($"The event source mapping was refused: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(cancellationToken)}");
    }
}
