using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Pipelines.CloudFormation;

/// <summary>
/// Values that are known when a stack is made (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html).
/// Joins, not <c>Fn::Sub</c>: its <c>${…}</c> would meet the variables of the Serverless Framework.
/// </summary>
internal static class Reference
{
    /// <summary>The value of a parameter, or what a resource is known by.</summary>
    public static JsonObject To(string id) => new() { ["Ref"] = id };

    public static JsonObject ToAttribute(string id, string attribute) => new() { ["Fn::GetAtt"] = new JsonArray(id, attribute) };

    /// <summary>An ARN in the partition of the stack (<c>aws</c>, <c>aws-cn</c>, …).</summary>
    /// <param name="rest">What follows <c>arn:PARTITION</c>, from its colon on. A part may stand elsewhere already: it is copied.</param>
    public static JsonObject Arn(params JsonNode[] rest) =>
        new() { ["Fn::Join"] = new JsonArray("", new JsonArray(["arn:", To("AWS::Partition"), .. rest.Select(part => part.DeepClone())])) };
}
