#pragma warning disable ASPIREPIPELINES001 // The pipeline's API is marked as one that may still change.
using System.Diagnostics;
using System.Text.Json.Nodes;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Pipelines;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChatPlatform.SystemTests.Eks;

/// <summary>The step <c>publish-eks</c> on the app model of this repository, into a folder that is deleted afterwards; nothing of the system is started.</summary>
internal sealed class EksPublish : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("chat-eks-").FullName;

    /// <summary>The folder of this repository's tests of the manifests.</summary>
    public static string Sources => Path.Combine(StartProblemTests.RepositoryRoot, "tests/ChatPlatform.SystemTests/Eks");

    public string Output => Path.Combine(_root, "eks");

    /// <summary>What lies beside the output: nothing that a failed run may leave.</summary>
    public IEnumerable<string> Beside => Directory.EnumerateFileSystemEntries(_root).Where(entry => entry != Output);

    /// <param name="change">Changes the app model before it is published.</param>
    /// <param name="settings">Settings as <c>KEY=VALUE</c>, over those of <c>values.json</c>.</param>
    public async Task RunAsync(Action<IDistributedApplicationTestingBuilder>? change = null, params string[] settings)
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.ChatPlatform_AppHost>(
            [
                "--operation", "publish", "--step", "publish-eks", "--output-path", Output, $"--Eks:Values={Path.Combine(Sources, "values.json")}",
                .. settings.Select(setting => "--" + setting),
            ]);
        change?.Invoke(builder);
        var app = await builder.BuildAsync();
        await builder.Pipeline.ExecuteAsync(new PipelineContext(
            app.Services.GetRequiredService<DistributedApplicationModel>(), builder.ExecutionContext, app.Services, NullLogger.Instance, CancellationToken.None));
    }

    /// <summary>Every file of the output, by its path below it.</summary>
    public IReadOnlyDictionary<string, string> Files() => Read(Output);

    public static IReadOnlyDictionary<string, string> Read(string folder) => new SortedDictionary<string, string>(
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(file => Path.GetRelativePath(folder, file), File.ReadAllText), StringComparer.Ordinal);

    /// <summary>Renders and checks the output as <c>./dev manifests</c> does.</summary>
    public async Task<(int Code, string Output, JsonObject Rendered)> ValidateAsync()
    {
        var json = Path.Combine(_root, "rendered.json");
        using var process = Process.Start(new ProcessStartInfo("node", [Path.Combine(StartProblemTests.RepositoryRoot, "eng/manifests/validate.mjs"), Output, "--json", json])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }

        var rendered = File.Exists(json) ? JsonNode.Parse(await File.ReadAllTextAsync(json))!.AsObject() : [];
        return (process.ExitCode, await output + await error, rendered);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}

/// <summary>The app model published once and rendered, for tests that look at it.</summary>
public sealed class RenderedManifests : IAsyncLifetime
{
    private readonly EksPublish _publish = new();

    public int ExitCode { get; private set; }

    public string Said { get; private set; } = "";

    public IReadOnlyDictionary<string, string> Files { get; private set; } = new Dictionary<string, string>();

    /// <summary>The CloudFormation template.</summary>
    public JsonObject Template { get; private set; } = [];

    /// <summary>The objects of each overlay.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<JsonObject>> Overlays { get; private set; } = new Dictionary<string, IReadOnlyList<JsonObject>>();

    public async Task InitializeAsync()
    {
        await _publish.RunAsync();
        Files = _publish.Files();
        (ExitCode, Said, var rendered) = await _publish.ValidateAsync();
        Template = rendered["template"]?.AsObject() ?? [];
        Overlays = rendered["overlays"]?.AsObject().ToDictionary(
            overlay => overlay.Key, overlay => (IReadOnlyList<JsonObject>)[.. overlay.Value!.AsArray().Select(value => value!.AsObject())]) ?? [];
    }

    /// <summary>The one object of a kind and name in an overlay.</summary>
    public JsonObject Find(string kind, string name, string overlay = "prod") =>
        Overlays[overlay].Single(value => Kind(value) == kind && Name(value) == name);

    public static string Kind(JsonObject value) => (string)value["kind"]!;

    public static string Name(JsonObject value) => (string)value["metadata"]!["name"]!;

    public static string? Namespace(JsonObject value) => (string?)value["metadata"]!["namespace"];

    public Task DisposeAsync()
    {
        _publish.Dispose();
        return Task.CompletedTask;
    }
}
