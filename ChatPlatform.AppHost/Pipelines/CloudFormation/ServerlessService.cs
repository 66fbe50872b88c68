using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Pipelines.CloudFormation;

/// <summary>
/// A template as a service of the Serverless Framework, <c>serverless.json</c> (https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml):
/// functions are its own, everything else goes into its CloudFormation stack as it is.
/// </summary>
internal static class ServerlessService
{
    /// <param name="artifact">The zip with the functions' code, on the machine that deploys.</param>
    public static JsonObject Of(Template template, string service, string region, string artifact)
    {
        var functions = new JsonObject();
        var resources = new JsonObject();
        var renamed = new Dictionary<string, string>();
        foreach (var (id, resource) in template.Resources)
        {
            if ((string?)resource!["Type"] != "AWS::Lambda::Function")
            {
                resources[id] = resource.DeepClone();
                continue;
            }

            var function = resource["Properties"]!;
            // The framework makes the logical id of the function's name in this file, which begins with a capital there.
            renamed[id] = $"{id}LambdaFunction";
            functions[id] = new JsonObject
            {
                ["name"] = function["FunctionName"]!.DeepClone(),
                ["description"] = function["Description"]!.DeepClone(),
                ["handler"] = function["Handler"]!.DeepClone(),
                ["runtime"] = function["Runtime"]!.DeepClone(),
                ["architecture"] = function["Architectures"]![0]!.DeepClone(),
                ["memorySize"] = function["MemorySize"]!.DeepClone(),
                ["timeout"] = function["Timeout"]!.DeepClone(),
                ["role"] = function["Role"]!.DeepClone(),
                ["environment"] = function["Environment"]!["Variables"]!.DeepClone(),
                ["package"] = new JsonObject { ["artifact"] = artifact },
            };
        }

        // Nothing but functions uses the place of their code, which the framework chooses itself.
        var parameters = template.Parameters.DeepClone().AsObject();
        foreach (var unused in parameters.Select(parameter => parameter.Key).Where(key => !Uses(resources, key) && !Uses(functions, key)).ToArray())
            parameters.Remove(unused);
        Rename(resources, renamed);
        return new JsonObject
        {
            ["service"] = service,
            ["provider"] = new JsonObject { ["name"] = "aws", ["region"] = region },
            ["functions"] = functions,
            ["resources"] = new JsonObject { ["Parameters"] = parameters, ["Resources"] = resources },
        };
    }

    private static bool Uses(JsonNode? node, string parameter) => node switch
    {
        JsonObject { Count: 1 } reference when reference["Ref"] is JsonValue id && (string?)id == parameter => true,
        JsonObject members => members.Any(member => Uses(member.Value, parameter)),
        JsonArray items => items.Any(item => Uses(item, parameter)),
        _ => false,
    };

    private static void Rename(JsonNode? node, Dictionary<string, string> ids)
    {
        switch (node)
        {
            case JsonObject { Count: 1 } attribute when attribute["Fn::GetAtt"] is JsonArray { Count: 2 } parts && ids.GetValueOrDefault((string)parts[0]!) is { } id:
                parts[0] = id;
                break;
            case JsonObject members:
                foreach (var (_, member) in members)
                    Rename(member, ids);
                break;
            case JsonArray items:
                foreach (var item in items)
                    Rename(item, ids);
                break;
        }
    }
}
