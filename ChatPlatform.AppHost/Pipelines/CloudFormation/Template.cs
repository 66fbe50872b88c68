using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Pipelines.CloudFormation;

/// <summary>
/// A CloudFormation template that grows (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html). Sections keep the order in
/// which they were added to.
/// </summary>
internal sealed class Template(string description)
{
    private static readonly JsonSerializerOptions Written = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public JsonObject Parameters { get; } = [];

    public JsonObject Resources { get; } = [];

    public JsonObject Outputs { get; } = [];

    /// <summary>Adds a parameter of text and gives the reference to it.</summary>
    /// <param name="otherwise">The default; null when whoever deploys must say.</param>
    public JsonObject AddParameter(string id, string description, string? otherwise = null)
    {
        var parameter = new JsonObject { ["Type"] = "String", ["Description"] = description };
        if (otherwise is not null)
            parameter["Default"] = otherwise;
        Parameters.Add(id, parameter);
        return Reference.To(id);
    }

    /// <summary>Adds a resource.</summary>
    /// <param name="id">Its logical id: letters and digits only.</param>
    /// <exception cref="ArgumentException">There is a resource of that id.</exception>
    public void AddResource(string id, string type, JsonObject properties) => Resources.Add(id, new JsonObject { ["Type"] = type, ["Properties"] = properties });

    public void AddOutput(string id, string description, JsonNode value) => Outputs.Add(id, new JsonObject { ["Description"] = description, ["Value"] = value });

    /// <summary>The template as JSON, which CloudFormation takes as it takes YAML.</summary>
    public JsonObject ToJson()
    {
        var template = new JsonObject { ["AWSTemplateFormatVersion"] = "2010-09-09", ["Description"] = description };
        foreach (var (name, section) in ((string, JsonObject)[])[("Parameters", Parameters), ("Resources", Resources), ("Outputs", Outputs)])
        {
            if (section.Count > 0)
                template[name] = section.DeepClone();
        }

        return template;
    }

    /// <summary>Any JSON as a person reads it.</summary>
    public static string Text(JsonNode json) => json.ToJsonString(Written);
}
