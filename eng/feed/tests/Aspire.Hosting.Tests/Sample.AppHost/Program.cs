using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Aspire.Hosting.Pipelines;

// A small system that has one of everything the tests look at.
var builder = DistributedApplication.CreateBuilder(args);
var port = builder.Configuration.GetValue<int?>("Sample:Port");

var secret = builder.AddParameter("secret", secret: true);
var greeting = builder.AddParameter("greeting", "hello");
var redis = builder.AddConnectionString("redis", ReferenceExpression.Create($"127.0.0.1:7001,password={greeting}"));
var aws = builder.AddAWSSDKConfig().WithRegion(Amazon.RegionEndpoint.APNortheast2);

var setup = builder.AddResource(new SetupResource("setup"))
    .WithInitialState(new() { ResourceType = "Setup", Properties = [], State = KnownResourceStates.NotStarted })
    .OnInitializeResource(async (resource, e, token) =>
    {
        await e.Eventing.PublishAsync(new BeforeResourceStartedEvent(resource, e.Services), token);
        await e.Notifications.PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.Running });
        e.Logger.LogInformation("tables are there");
        await e.Notifications.PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.Finished, ExitCode = 0 });
    });

var api = builder.AddProject<Projects.Sample_Web>("api", launchProfileName: null)
    .WithHttpEndpoint(port: port)
    .WithHttpEndpoint(name: "grpc", env: "GRPC_PORT")
    .WithEndpoint("grpc", e => e.Transport = "http2")
    .WithReplicas(2)
    .WithReference(redis)
    .WithReference(aws)
    .WithEnvironment("GREETING", greeting)
    .WithEnvironment("SELF_URL", $"http://127.0.0.1:{builder.Configuration["Sample:Port"] ?? "0"}/{greeting}")
    .WithHttpHealthCheck("/healthz")
    .WaitForCompletion(setup);

var web = builder.AddProject<Projects.Sample_Web>("web", launchProfileName: null)
    .WithHttpEndpoint()
    .WithReference(api)
    .WithEnvironment("API_PORT_ONLY", ReferenceExpression.Create($"{api.GetEndpoint("http").Property(EndpointProperty.Port)}"))
    .WithUrlForEndpoint("http", url => url.DisplayText = "Web")
    .WithArgs("--urls-are", "given")
    .WithHttpHealthCheck("/healthz")
    .WaitFor(api);

var own = builder.AddExecutable("sleeper", "sleep", ".", "1000");

if (builder.Configuration["Sample:Failing"] is not null)
{
    var job = builder.AddExecutable("job", "sh", ".", "-c", "echo broken >&2; exit 7");
    builder.AddExecutable("after-job", "sleep", ".", "1000").WaitForCompletion(job);
    var missing = builder.AddExecutable("missing", "no-such-program-anywhere", ".");
    builder.AddExecutable("after-missing", "sleep", ".", "1000").WaitFor(missing);
    builder.AddProject<Projects.Sample_Web>("needs-secret", launchProfileName: null).WithEnvironment("SECRET", secret);
    builder.AddContainer("box", "some/image", "1.0").WithHttpEndpoint(targetPort: 80);
    builder.AddExecutable("by-hand", "sleep", ".", "1000").WithExplicitStart();
}

builder.Pipeline.AddStep("prepare", context =>
{
    var output = context.Services.GetRequiredService<IPipelineOutputService>().GetOutputDirectory();
    Directory.CreateDirectory(output);
    File.WriteAllText(Path.Combine(output, "prepared"), "");
    return Task.CompletedTask;
});
builder.Pipeline.AddStep(
    "manifests",
    async context =>
    {
        var output = context.Services.GetRequiredService<IPipelineOutputService>().GetOutputDirectory();
        Debug.Assert(File.Exists(Path.Combine(output, "prepared")));
        var environment = await api.Resource.GetEnvironmentVariableValuesAsync(DistributedApplicationOperation.Publish);
        await File.WriteAllTextAsync(Path.Combine(output, "api.env"), string.Join('\n', environment.Select(e => $"{e.Key}={e.Value}")));
    },
    dependsOn: "prepare");
builder.Pipeline.AddStep("with-secret", async context => await secret.Resource.GetValueAsync(context.CancellationToken));

builder.Build().Run();

internal sealed class SetupResource(string name) : Resource(name), IResourceWithWaitSupport;
