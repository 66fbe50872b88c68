using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.KinesisFirehose;
using Amazon.KinesisFirehose.Model;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using ChatPlatform.Contracts.Tables;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.AppHost.Backing;

/// <summary>Makes on a local edge what a stack makes on AWS. Each call leaves alone what is there already, so that a restart keeps its data.</summary>
internal static class AwsProvisioning
{
    /// <summary>Makes the tables that are missing, with their indexes, streams and time to live, and returns when all are <c>ACTIVE</c>.</summary>
    public static async Task EnsureTablesAsync(AwsEdge aws, IReadOnlyList<TableSchema> tables, ILogger log, CancellationToken cancellationToken)
    {
        using var client = await aws.ConnectAsync((AWSCredentials credentials, AmazonDynamoDBConfig config) => new AmazonDynamoDBClient(credentials, config), cancellationToken);
        foreach (var table in tables)
        {
            try
            {
                await client.CreateTableAsync(table.ToRequest(), cancellationToken);
                log.LogInformation("made table {Table}", table.Name);
            }
            catch (Amazon.DynamoDBv2.Model.ResourceInUseException)
            {
                log.LogInformation("table {Table} is there", table.Name);
            }

            while ((await client.DescribeTableAsync(table.Name, cancellationToken)).Table.TableStatus != TableStatus.ACTIVE)
                await Task.Delay(100, cancellationToken);
            if (table.TimeToLiveAttribute is { } attribute)
                await EnableTimeToLiveAsync(client, table.Name, attribute, cancellationToken);
        }
    }

    /// <summary>The ARN of the newest stream of a table.</summary>
    public static async Task<string> StreamArnAsync(AwsEdge aws, string table, CancellationToken cancellationToken)
    {
        using var client = await aws.ConnectAsync((AWSCredentials credentials, AmazonDynamoDBConfig config) => new AmazonDynamoDBClient(credentials, config), cancellationToken);
        return (await client.DescribeTableAsync(table, cancellationToken)).Table.LatestStreamArn;
    }

    /// <summary>Makes a bucket if it is missing.</summary>
    public static async Task EnsureBucketAsync(AwsEdge aws, string bucket, CancellationToken cancellationToken)
    {
        using var client = await ConnectToS3Async(aws, cancellationToken);
        try
        {
            await client.PutBucketAsync(new PutBucketRequest { BucketName = bucket }, cancellationToken);
        }
        catch (AmazonS3Exception error) when (error.ErrorCode == "BucketAlreadyOwnedByYou")
        {
            // It is there, and it is ours.
        }
    }

    /// <summary>Lets pages of any origin upload to a bucket and read from it with presigned URLs, which say what is allowed; without a rule a browser refuses to try.</summary>
    public static async Task AllowBrowsersAsync(AwsEdge aws, string bucket, CancellationToken cancellationToken)
    {
        using var client = await ConnectToS3Async(aws, cancellationToken);
        var rule = new CORSRule { AllowedMethods = ["GET", "PUT"], AllowedOrigins = ["*"], AllowedHeaders = ["*"], ExposeHeaders = ["ETag"], MaxAgeSeconds = 3_600 };
        await client.PutCORSConfigurationAsync(new PutCORSConfigurationRequest { BucketName = bucket, Configuration = new CORSConfiguration { Rules = [rule] } }, cancellationToken);
    }

    /// <summary>Makes a delivery stream if it is missing.</summary>
    public static async Task EnsureDeliveryStreamAsync(AwsEdge aws, CreateDeliveryStreamRequest request, CancellationToken cancellationToken)
    {
        using var client = await aws.ConnectAsync((AWSCredentials credentials, AmazonKinesisFirehoseConfig config) => new AmazonKinesisFirehoseClient(credentials, config), cancellationToken);
        try
        {
            await client.CreateDeliveryStreamAsync(request, cancellationToken);
        }
        catch (Amazon.KinesisFirehose.Model.ResourceInUseException)
        {
            // It is there from an earlier run.
        }
    }

    private static Task<AmazonS3Client> ConnectToS3Async(AwsEdge aws, CancellationToken cancellationToken) =>
        aws.ConnectAsync((AWSCredentials credentials, AmazonS3Config config) =>
        {
            config.ForcePathStyle = true;
            return new AmazonS3Client(credentials, config);
        }, cancellationToken);

    private static async Task EnableTimeToLiveAsync(AmazonDynamoDBClient client, string table, string attribute, CancellationToken cancellationToken)
    {
        var current = (await client.DescribeTimeToLiveAsync(table, cancellationToken)).TimeToLiveDescription;
        // Enabling twice is an error on DynamoDB.
        if (current.TimeToLiveStatus == TimeToLiveStatus.DISABLED)
        {
            await client.UpdateTimeToLiveAsync(new UpdateTimeToLiveRequest
            {
                TableName = table,
                TimeToLiveSpecification = new TimeToLiveSpecification { AttributeName = attribute, Enabled = true },
            }, cancellationToken);
        }
    }
}
