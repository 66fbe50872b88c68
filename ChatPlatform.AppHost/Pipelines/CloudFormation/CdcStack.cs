using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Pipelines.CloudFormation;

/// <summary>All resources of one pipeline in a template: function and role, mapping, and the delivery stream with its role unless there is one already.</summary>
internal static class CdcStack
{
    /// <summary>Adds the pipeline to <paramref name="template"/>, under logical ids that begin with its name (<c>chat-log</c>: <c>ChatLogFunction</c>, …).</summary>
    /// <param name="streamArn">The table's stream: its ARN, or the reference to it.</param>
    /// <param name="deliveryStreamArn">A delivery stream that is there already; null to make one.</param>
    /// <param name="bucket">The name of the lake's bucket.</param>
    public static void AddCdcPipeline(this Template template, CdcPipeline pipeline, JsonNode streamArn, string? deliveryStreamArn, JsonNode bucket, CodeLocation code)
    {
        var prefix = LogicalId(pipeline.Name);
        JsonNode stream, streamName;
        if (deliveryStreamArn is null)
        {
            AddDelivery(template, prefix, pipeline, bucket);
            (stream, streamName) = (Reference.ToAttribute($"{prefix}DeliveryStream", "Arn"), Reference.To($"{prefix}DeliveryStream"));
        }
        else
        {
            (stream, streamName) = (deliveryStreamArn, deliveryStreamArn[(deliveryStreamArn.LastIndexOf('/') + 1)..]);
        }

        template.AddRole(
            $"{prefix}FunctionRole",
            "lambda.amazonaws.com",
            [
                // https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
                new(["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], [streamArn]),
                new(["dynamodb:ListStreams"], ["*"]),
                new(["firehose:PutRecordBatch"], [stream]),
                // https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
                new(["s3:ListBucket"], [BucketArn(bucket)]),
                new(["s3:PutObject"], [Reference.Arn(":s3:::", bucket, "/aws/lambda/*")]),
            ],
            "service-role/AWSLambdaBasicExecutionRole");
        template.AddFunction($"{prefix}Function", pipeline, code, Reference.ToAttribute($"{prefix}FunctionRole", "Arn"), streamName);
        template.AddMapping($"{prefix}Mapping", pipeline, streamArn, Reference.ToAttribute($"{prefix}Function", "Arn"), BucketArn(bucket));
    }

    /// <summary>https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html</summary>
    private static void AddDelivery(Template template, string prefix, CdcPipeline pipeline, JsonNode bucket)
    {
        template.AddRole(
            $"{prefix}DeliveryRole",
            "firehose.amazonaws.com",
            [
                new(["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject"],
                    [BucketArn(bucket), Reference.Arn(":s3:::", bucket, "/*")]),
            ]);
        template.AddDeliveryStream($"{prefix}DeliveryStream", pipeline, BucketArn(bucket), Reference.ToAttribute($"{prefix}DeliveryRole", "Arn"));
    }

    private static JsonObject BucketArn(JsonNode name) => Reference.Arn(":s3:::", name);

    /// <summary>Letters and digits only, each word with a capital: <c>chat-log</c> is <c>ChatLog</c>.</summary>
    public static string LogicalId(string name) =>
        string.Concat(name.Split('-', '_', '.').Where(word => word.Length > 0).Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
}
