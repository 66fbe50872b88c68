using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Reflection;
using Amazon.KinesisFirehose.Model;
using ChatPlatform.AppHost.Backing;
using ChatPlatform.Contracts.Tables;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.AppHost.Pipelines;

internal static class CdcPipelineExtensions
{
    private const string BucketArn = $"arn:aws:s3:::{CdcPipeline.Bucket}";

    /// <summary>
    /// Adds the pipeline <paramref name="name"/> for <paramref name="table"/>: stream → function <c>NAME-cdc</c> → delivery stream <c>NAME-stream</c> → lake. It is a service of the
    /// model (<see cref="CdcPipeline"/>), from which templates are written. Where AWS runs functions (<paramref name="lambda"/> is null) such a template makes all of it and nothing runs here.
    /// </summary>
    public static void AddCdcPipeline(
        this IDistributedApplicationBuilder builder, string name, TableSchema table, AwsEdge aws, IResourceBuilder<ProjectResource>? lambda, IResourceBuilder<SetupStep> tables)
    {
        var pipeline = new CdcPipeline(name, table, BufferSeconds(builder.Configuration["Lake:BufferSeconds"]));
        builder.Services.AddSingleton(pipeline);
        if (lambda is null)
            return;

        AddFunction(lambda, pipeline);
        builder.AddSetupStep($"{name}-pipeline", async (log, cancellationToken) =>
            {
                await AwsProvisioning.EnsureBucketAsync(aws, CdcPipeline.Bucket, cancellationToken);
                await AwsProvisioning.EnsureDeliveryStreamAsync(aws, DeliveryStream(pipeline), cancellationToken);
                var stream = await AwsProvisioning.StreamArnAsync(aws, table.Name, cancellationToken);
                await MapAsync(new Uri(lambda.GetEndpoint("http").Url), pipeline, stream, cancellationToken);
                log.LogInformation(
                    "{Stream} → {Function} → {DeliveryStream} → s3://{Bucket}/{Name}/", stream, pipeline.FunctionName, pipeline.DeliveryStreamName, CdcPipeline.Bucket, name);
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

    /// <summary>Tells the emulator of the built function of this repo, in the configuration that this AppHost was built in.</summary>
    private static void AddFunction(IResourceBuilder<ProjectResource> lambda, CdcPipeline pipeline)
    {
        var project = new Projects.ChatPlatform_CdcLambda().ProjectPath;
        var configuration = typeof(CdcPipelineExtensions).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var settings = $"Functions__{pipeline.FunctionName}__";
        lambda
            .WithEnvironment(settings + "Command", "dotnet")
            .WithEnvironment(settings + "Arguments__0", Path.Combine(Path.GetDirectoryName(project)!, "bin", configuration, "net10.0", "ChatPlatform.CdcLambda.dll"))
            .WithEnvironment(settings + "Handler", CdcPipeline.Handler)
            .WithEnvironment(settings + "TimeoutSeconds", CdcPipeline.TimeoutSeconds.ToString(CultureInfo.InvariantCulture))
            .WithEnvironment(settings + "MemorySize", CdcPipeline.MemorySize.ToString(CultureInfo.InvariantCulture))
            .WithEnvironment(settings + "Environment__DELIVERY_STREAM", pipeline.DeliveryStreamName);
        foreach (var (key, value) in pipeline.FunctionSettings)
            lambda.WithEnvironment($"{settings}Environment__{key}", value);
    }

    private static CreateDeliveryStreamRequest DeliveryStream(CdcPipeline pipeline) => new()
    {
        DeliveryStreamName = pipeline.DeliveryStreamName,
        DeliveryStreamType = "DirectPut",
        ExtendedS3DestinationConfiguration = new ExtendedS3DestinationConfiguration
        {
            RoleARN = $"arn:aws:iam::{AwsEdge.LocalAccount}:role/{pipeline.DeliveryStreamName}",
            BucketARN = BucketArn,
            Prefix = pipeline.Prefix,
            ErrorOutputPrefix = pipeline.ErrorPrefix,
            BufferingHints = new BufferingHints { SizeInMBs = CdcPipeline.BufferMegabytes, IntervalInSeconds = pipeline.BufferSeconds },
            CompressionFormat = CdcPipeline.Compression,
        },
    };

    private static async Task MapAsync(Uri lambda, CdcPipeline pipeline, string streamArn, CancellationToken cancellationToken)
    {
        using var client = new HttpClient { BaseAddress = lambda };
        using var answer = await client.PostAsJsonAsync("/2015-03-31/event-source-mappings/", pipeline.Mapping(streamArn, pipeline.FunctionName, BucketArn), cancellationToken);
        // A conflict is a mapping from an earlier run, which goes on from its checkpoint.
        if (!answer.IsSuccessStatusCode && answer.StatusCode != HttpStatusCode.Conflict)
            throw new HttpRequestException($"The event source mapping was refused: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(cancellationToken)}");
    }
}
