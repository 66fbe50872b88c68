using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Pipelines.CloudFormation;

/// <summary>One statement of a policy: what is allowed on what.</summary>
internal sealed record Allowed(string[] Actions, JsonNode[] Resources)
{
    public JsonObject ToJson() => new()
    {
        ["Effect"] = "Allow",
        ["Action"] = new JsonArray([.. Actions.Select(action => JsonValue.Create(action))]),
        ["Resource"] = new JsonArray([.. Resources.Select(resource => resource.DeepClone())]),
    };
}

/// <summary>Where the zip with a function's code lies.</summary>
internal sealed record CodeLocation(JsonNode Bucket, JsonNode Key);

/// <summary>The resources that a pipeline is made of, with the properties that AWS requires and those that the pipeline sets.</summary>
internal static class PipelineResources
{
    /// <summary><c>AWS::IAM::Role</c> that a service assumes, without a name: a stack then asks for CAPABILITY_IAM only.</summary>
    /// <param name="service">For example <c>lambda.amazonaws.com</c>.</param>
    /// <param name="managedPolicies">Names of AWS's own policies, with their path.</param>
    public static void AddRole(this Template template, string id, string service, IReadOnlyList<Allowed> allowed, params string[] managedPolicies)
    {
        var properties = new JsonObject
        {
            ["AssumeRolePolicyDocument"] = new JsonObject
            {
                ["Version"] = "2012-10-17",
                ["Statement"] = new JsonArray(new JsonObject
                {
                    ["Effect"] = "Allow",
                    ["Principal"] = new JsonObject { ["Service"] = service },
                    ["Action"] = "sts:AssumeRole",
                }),
            },
            ["Policies"] = new JsonArray(new JsonObject
            {
                ["PolicyName"] = id,
                ["PolicyDocument"] = new JsonObject
                {
                    ["Version"] = "2012-10-17",
                    ["Statement"] = new JsonArray([.. allowed.Select(statement => statement.ToJson())]),
                },
            }),
        };
        if (managedPolicies.Length > 0)
            properties["ManagedPolicyArns"] = new JsonArray([.. managedPolicies.Select(name => Reference.Arn($":iam::aws:policy/{name}"))]);
        template.AddResource(id, "AWS::IAM::Role", properties);
    }

    /// <summary><c>AWS::Lambda::Function</c> of a pipeline.</summary>
    public static void AddFunction(this Template template, string id, CdcPipeline pipeline, CodeLocation code, JsonNode roleArn, JsonNode deliveryStreamName)
    {
        var environment = new JsonObject { ["DELIVERY_STREAM"] = deliveryStreamName.DeepClone() };
        foreach (var (key, value) in pipeline.FunctionSettings)
            environment[key] = value;
        template.AddResource(id, "AWS::Lambda::Function", new JsonObject
        {
            ["FunctionName"] = pipeline.FunctionName,
            ["Description"] = $"Writes of the table {pipeline.Table.Name} to the lake",
            ["Runtime"] = CdcPipeline.Runtime,
            ["Handler"] = CdcPipeline.Handler,
            ["Architectures"] = new JsonArray("x86_64"),
            ["Code"] = new JsonObject { ["S3Bucket"] = code.Bucket.DeepClone(), ["S3Key"] = code.Key.DeepClone() },
            ["Role"] = roleArn.DeepClone(),
            ["MemorySize"] = CdcPipeline.MemorySize,
            ["Timeout"] = CdcPipeline.TimeoutSeconds,
            ["Environment"] = new JsonObject { ["Variables"] = environment },
        });
    }

    /// <summary><c>AWS::Lambda::EventSourceMapping</c> of a pipeline.</summary>
    public static void AddMapping(this Template template, string id, CdcPipeline pipeline, JsonNode streamArn, JsonNode function, JsonNode onFailure) =>
        template.AddResource(id, "AWS::Lambda::EventSourceMapping", pipeline.Mapping(streamArn.DeepClone(), function.DeepClone(), onFailure.DeepClone()));

    /// <summary><c>AWS::KinesisFirehose::DeliveryStream</c> of a pipeline.</summary>
    public static void AddDeliveryStream(this Template template, string id, CdcPipeline pipeline, JsonNode bucketArn, JsonNode roleArn) =>
        template.AddResource(id, "AWS::KinesisFirehose::DeliveryStream", new JsonObject
        {
            ["DeliveryStreamName"] = pipeline.DeliveryStreamName,
            ["DeliveryStreamType"] = "DirectPut",
            ["ExtendedS3DestinationConfiguration"] = new JsonObject
            {
                ["RoleARN"] = roleArn.DeepClone(),
                ["BucketARN"] = bucketArn.DeepClone(),
                ["Prefix"] = pipeline.Prefix,
                ["ErrorOutputPrefix"] = pipeline.ErrorPrefix,
                ["BufferingHints"] = new JsonObject { ["SizeInMBs"] = CdcPipeline.BufferMegabytes, ["IntervalInSeconds"] = pipeline.BufferSeconds },
                ["CompressionFormat"] = CdcPipeline.Compression,
            },
        });
}
