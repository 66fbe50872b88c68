#pragma warning disable ASPIREPIPELINES001 // The pipeline's API is marked as one that may still change.
#pragma warning disable ASPIREPIPELINES004
using System.Text.Json;
using System.Text.Json.Nodes;
using Aspire.Hosting.Pipelines;
using ChatPlatform.AppHost.Pipelines;
using ChatPlatform.AppHost.Stack;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.AppHost.Eks;

/// <summary>
/// The pipeline step <c>publish-eks</c>: the app model as a Kustomize base with overlays, and as a CloudFormation template of what the cluster stands on.
/// <c>dotnet run --project ChatPlatform.AppHost -- --operation publish --step publish-eks --output-path deploy/eks</c>, or <c>./dev manifests</c>.
/// </summary>
internal static class EksPublishing
{
    public const string Step = "publish-eks";

    /// <summary>The parameters' values, beside the AppHost; <c>Eks:Values</c> names another file, and the environment and the command line come before it.</summary>
    public const string ValuesFile = "eks.json";

    /// <summary>What tells a folder that this step may replace from one that it may not.</summary>
    private const string Marker = "published.json";

    /// <summary>Adds the step; in publish mode gives the parameters of a cluster, else null.</summary>
    /// <exception cref="StartProblem">The file of values is not there, or no JSON.</exception>
    public static EksParameters? AddEks(this IDistributedApplicationBuilder builder)
    {
        if (!builder.ExecutionContext.IsPublishMode)
            return null;
        var path = Path.GetFullPath(Path.Combine(builder.AppHostDirectory, builder.Configuration["Eks:Values"] is { Length: > 0 } given ? given : ValuesFile));
        if (!File.Exists(path))
            throw new StartProblem($"the file of values {path} is not there; write it as ChatPlatform.AppHost/{ValuesFile} is, or set Eks__Values to another.");
        try
        {
            // First, so that everything else that is set comes before it.
            builder.Configuration.Sources.Insert(0, new JsonConfigurationSource { Path = Path.GetFileName(path), FileProvider = new PhysicalFileProvider(Path.GetDirectoryName(path)!) });
        }
        catch (InvalidDataException error)
        {
            throw new StartProblem($"the file of values {path} is no JSON: {error.GetBaseException().Message}");
        }

        var parameters = new EksParameters(builder);
        builder.Pipeline.AddStep(Step, context => PublishAsync(context, parameters), requiredBy: WellKnownPipelineSteps.Publish);
        return parameters;
    }

    private static async Task PublishAsync(PipelineStepContext context, EksParameters parameters)
    {
        var output = context.Services.GetRequiredService<IPipelineOutputService>().GetOutputDirectory();
        var files = await FilesAsync(context.Model, context.Services, parameters);
        Replace(output, files);
        context.Logger.LogInformation("{Count} files are in {Output}", files.Count, output);
    }

    /// <summary>Everything that is published, by its path below the output folder: nothing is written before all of it is known.</summary>
    private static async Task<SortedDictionary<string, string>> FilesAsync(DistributedApplicationModel model, IServiceProvider services, EksParameters parameters)
    {
        var configuration = services.GetRequiredService<IConfiguration>();
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var @base = await EksModel.ReadAsync(model, parameters, new EksValues(configuration, EksEnvironment.Base));
        var parts = Parts(@base);
        foreach (var (name, objects) in parts)
            files[$"base/{name}.yaml"] = YamlWriter.WriteAll(objects);
        files["base/kustomization.yaml"] = Kustomization(parts.Select(part => $"{part.Name}.yaml"), []);

        var objectsOfBase = parts.SelectMany(part => part.Objects).ToList();
        foreach (var environment in EksEnvironment.Overlays)
        {
            var lying = await EksModel.ReadAsync(model, parameters, new EksValues(configuration, environment));
            files[$"overlays/{environment.Name}/kustomization.yaml"] = Kustomization(["../../base"], Overlay.Patches(objectsOfBase, [.. Parts(lying).SelectMany(part => part.Objects)]));
            foreach (var alternative in lying.Alternatives)
            {
                var writer = new KubernetesObjects(lying);
                var agent = lying.Workloads.Single(workload => workload.Resource == alternative.Place);
                files[$"overlays/{environment.Name}-{alternative.Resource.Name}/kustomization.yaml"] =
                    Kustomization([$"../{environment.Name}"], Overlay.Patches([.. writer.Of(agent)], [.. writer.Of(alternative)]));
            }
        }

        files["aws/template.yaml"] = YamlWriter.Write(StackTemplate.Of(@base, model, services.GetServices<CdcPipeline>()));
        files[Marker] = JsonSerializer.Serialize(new { step = Step, objects = objectsOfBase.Count }, JsonSerializerOptions.Web) + "\n";
        return files;
    }

    private static IReadOnlyList<(string Name, IReadOnlyList<JsonObject> Objects)> Parts(EksModel model)
    {
        var writer = new KubernetesObjects(model);
        return [("cluster", [.. writer.OfCluster()]), .. model.Workloads.Select(workload => (KubernetesObjects.Name(workload), (IReadOnlyList<JsonObject>)[.. writer.Of(workload)]))];
    }

    private static string Kustomization(IEnumerable<string> resources, JsonArray patches)
    {
        var value = new JsonObject
        {
            ["apiVersion"] = "kustomize.config.k8s.io/v1beta1",
            ["kind"] = "Kustomization",
            ["resources"] = new JsonArray([.. resources.Select(resource => (JsonNode)resource)]),
        };
        if (patches.Count > 0)
            value["patches"] = patches;
        return YamlWriter.Write(value);
    }

    /// <summary>Writes the files into a new folder beside <paramref name="output"/> and puts it into its place as a whole; what fails leaves the old one.</summary>
    /// <exception cref="EksPublishException">The folder holds something that was not published here.</exception>
    private static void Replace(string output, SortedDictionary<string, string> files)
    {
        output = Path.TrimEndingDirectorySeparator(output);
        if (File.Exists(output) || (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any() && !File.Exists(Path.Combine(output, Marker))))
            throw new EksPublishException([$"{output} holds something that was not published here; give --output-path a folder that is new or empty."]);
        var next = $"{output}.{Guid.NewGuid():N}";
        try
        {
            foreach (var (path, text) in files)
            {
                var file = Path.Combine(next, path);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                File.WriteAllText(file, text);
            }

            if (Directory.Exists(output))
                Directory.Delete(output, recursive: true);
            Directory.Move(next, output);
        }
        finally
        {
            if (Directory.Exists(next))
                Directory.Delete(next, recursive: true);
        }
    }
}
