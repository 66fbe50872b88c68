using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace ChatPlatform.SystemTests.Eks;

/// <summary>What a change of the app model is in the manifests, and what cannot be published: one clear error that names the resource, and no half-written folder.</summary>
public sealed class PublishTests : IDisposable
{
    private readonly EksPublish _publish = new();

    [Fact]
    public async Task Publishing_twice_writes_the_same_bytes()
    {
        await _publish.RunAsync();
        var first = _publish.Files();

        await _publish.RunAsync();

        _publish.Files().ShouldBe(first);
        _publish.Beside.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_port_in_the_AppHost_is_the_port_in_the_manifests()
    {
        await _publish.RunAsync(builder => Endpoint(builder, "relay", "grpc").TargetPort = 9191);

        var relay = _publish.Files()["base/relay.yaml"];
        relay.ShouldContain("containerPort: 9191");
        relay.ShouldContain("http://$(POD_IP):9191");
        relay.ShouldContain("GRPC_PORT: \"9191\"");
        // The arrow of those who call it.
        _publish.Files()["base/api.yaml"].ShouldContain("port: 9191");
        relay.ShouldNotContain("8081\n        protocol: TCP");
    }

    [Fact]
    public async Task A_port_that_clients_use_is_the_Services_and_the_callers()
    {
        await _publish.RunAsync(builder => Endpoint(builder, "api", "http").Port = 7000);

        _publish.Files()["base/api.yaml"].ShouldContain("port: 7000\n    targetPort: http");
        _publish.Files()["base/gateway.yaml"].ShouldContain("Gateway__Api: http://api:7000");
    }

    [Fact]
    public async Task Replicas_in_the_AppHost_are_the_fewest_pods()
    {
        await _publish.RunAsync(builder => Project(builder, "relay").WithReplicas(7));

        _publish.Files()["base/relay.yaml"].ShouldContain("minReplicas: 7");
    }

    [Fact]
    public async Task An_environment_value_in_the_AppHost_is_in_the_manifests_and_rolls_the_pods()
    {
        await _publish.RunAsync();
        var before = Settings("api");

        await _publish.RunAsync(builder => Project(builder, "api").WithEnvironment("RateLimits__User__Burst", "777"));

        _publish.Files()["base/api.yaml"].ShouldContain("RateLimits__User__Burst: \"777\"");
        Settings("api").ShouldNotBe(before);

        string Settings(string name) => _publish.Files()[$"base/{name}.yaml"].Split('\n').Single(line => line.Contains("chat/settings:"));
    }

    [Fact]
    public async Task A_new_reference_is_an_arrow_at_both_ends()
    {
        await _publish.RunAsync();
        Caller().ShouldNotContain("name: notifier");

        await _publish.RunAsync(builder => Project(builder, "notifier").WithReference(Project(builder, "api").GetEndpoint("http")));

        Caller().ShouldContain("name: notifier");
        _publish.Files()["base/notifier.yaml"].ShouldContain("services__api__http__0: http://api:8080");
        _publish.Files()["base/notifier.yaml"].ShouldContain("app.kubernetes.io/name: api");

        string Caller() => _publish.Files()["base/api.yaml"].Split("kind: NetworkPolicy")[1];
    }

    [Fact]
    public async Task A_digest_is_pulled_as_it_is()
    {
        var image = $"registry.example.com/chat-api@sha256:{new string('a', 64)}";

        await _publish.RunAsync(null, $"Parameters:api-image={image}", "Eks:dev:image-tag=2.0.0");

        _publish.Files()["base/api.yaml"].ShouldContain($"image: {image}\n");
        _publish.Files()["base/relay.yaml"].ShouldContain("chat-relay:1.0.0");
        _publish.Files()["overlays/dev/kustomization.yaml"].ShouldContain("chat-relay:2.0.0");
    }

    [Fact]
    public async Task A_switch_to_the_other_gateway_is_a_pair_of_weights()
    {
        await _publish.RunAsync(
            null, "Parameters:gateway-blue-weight=10", "Parameters:gateway-green-weight=90", "Parameters:gateway-green-image=registry.example.com/chat-gateway:next");

        _publish.Files()["base/gateway.yaml"].Split("image: ")[1..].Select(text => text.Split('\n')[0].Trim('"')).ShouldBe(
            ["111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/chat-gateway:1.0.0", "registry.example.com/chat-gateway:next"]);
        _publish.Files()["base/gateway.yaml"].ShouldContain("""\"serviceName\":\"gateway-green\",\"servicePort\":8080,\"weight\":90""");
    }

    [Fact]
    public async Task A_weight_that_the_load_balancer_would_refuse_is_named()
    {
        var error = await Should.ThrowAsync<DistributedApplicationException>(() => _publish.RunAsync(null, "Parameters:gateway-green-weight=much"));

        error.Message.ShouldBe("parameter 'gateway-green-weight' is 'much'; it must be a number from 0 to 999.");
    }

    [Fact]
    public async Task No_secret_is_ever_in_a_manifest()
    {
        await _publish.RunAsync(
            null, "Parameters:jwt-signing-key=s3cr3t-one", "Parameters:internal-service-token=s3cr3t-two", "ConnectionStrings:redis=s3cr3t-three", "Parameters:fcm-key=s3cr3t-four");

        _publish.Files().Values.ShouldAllBe(text => !text.Contains("s3cr3t"));
        _publish.Files()["base/api.yaml"].ShouldContain("key: chat/jwt-signing-key");
    }

    [Fact]
    public async Task A_missing_parameter_is_named_with_who_needs_it_and_leaves_what_was_published()
    {
        await _publish.RunAsync();
        var before = _publish.Files();

        var error = await Should.ThrowAsync<DistributedApplicationException>(() => _publish.RunAsync(builder => Secondary(builder)));

        error.Message.ShouldContain("parameter 'region-of-secondary', which resource 'notifier' needs, has no value; set Parameters__region_of_secondary");
        _publish.Files().ShouldBe(before);
        _publish.Beside.ShouldBeEmpty();

        static void Secondary(IDistributedApplicationTestingBuilder builder) =>
            Project(builder, "notifier").WithEnvironment("Secondary__Region", builder.AddParameter("region-of-secondary"));
    }

    [Fact]
    public async Task All_that_is_missing_is_named_at_once()
    {
        var values = Path.Combine(Path.GetTempPath(), $"chat-values-{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(values, """{ "Parameters": { "image-tag": "1" } }""");
        try
        {
            var error = await Should.ThrowAsync<DistributedApplicationException>(() => _publish.RunAsync(null, $"Eks:Values={values}"));

            string[] missing =
                ["aws-region", "certificate-arn", "data-networks", "fcm-project", "file-system-id", "host", "image-registry", "otlp-endpoint", "pod-networks", "secret-store"];
            foreach (var name in missing)
                error.Message.ShouldContain($"parameter '{name}'");
            Directory.Exists(_publish.Output).ShouldBeFalse();
        }
        finally
        {
            File.Delete(values);
        }
    }

    [Fact]
    public async Task A_file_of_values_that_is_missing_or_damaged_is_named()
    {
        var values = Path.Combine(Path.GetTempPath(), $"chat-values-{Guid.NewGuid():N}.json");
        (await Should.ThrowAsync<Exception>(() => _publish.RunAsync(null, $"Eks:Values={values}"))).ToString().ShouldContain($"the file of values {values} is not there");

        await File.WriteAllTextAsync(values, """{ "Parameters": { "image-tag": """);
        try
        {
            (await Should.ThrowAsync<Exception>(() => _publish.RunAsync(null, $"Eks:Values={values}"))).ToString().ShouldContain($"the file of values {values} is no JSON");
        }
        finally
        {
            File.Delete(values);
        }
    }

    [Fact]
    public async Task A_container_without_an_image_is_named()
    {
        var error = await Should.ThrowAsync<DistributedApplicationException>(() => _publish.RunAsync(builder => builder.AddResource(new ContainerResource("sidecar"))));

        error.Message.ShouldContain("resource 'sidecar' has no image");
        Directory.Exists(_publish.Output).ShouldBeFalse();
        _publish.Beside.ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_resources_that_would_be_one_in_the_cluster_are_named()
    {
        var error = await Should.ThrowAsync<DistributedApplicationException>(() => _publish.RunAsync(builder => builder.AddContainer("gateway-blue", "nginx", "1.29")));

        error.Message.ShouldContain("resources 'gateway' and 'gateway-blue' would both be 'gateway-blue'");
        Directory.Exists(_publish.Output).ShouldBeFalse();
    }

    [Fact]
    public async Task Two_resources_with_one_name_are_refused_when_the_second_is_added()
    {
        var error = await Should.ThrowAsync<DistributedApplicationException>(() => _publish.RunAsync(builder => builder.AddContainer("API", "nginx", "1.29")));

        error.Message.ShouldContain("'API'");
        Directory.Exists(_publish.Output).ShouldBeFalse();
    }

    [Fact]
    public async Task A_secret_inside_a_text_is_refused()
    {
        var error = await Should.ThrowAsync<DistributedApplicationException>(() => _publish.RunAsync(builder =>
        {
            var password = builder.AddParameter("storage-password", secret: true);
            Project(builder, "api").WithEnvironment("Storage__Url", ReferenceExpression.Create($"https://user:{password}@storage.example.com"));
        }));

        error.Message.ShouldContain("Storage__Url of resource 'api' puts the secret 'storage-password' into a text");
    }

    [Fact]
    public async Task A_folder_with_somebodys_files_is_left_alone()
    {
        Directory.CreateDirectory(_publish.Output);
        await File.WriteAllTextAsync(Path.Combine(_publish.Output, "thesis.txt"), "three years of work");

        var error = await Should.ThrowAsync<DistributedApplicationException>(() => _publish.RunAsync());

        error.Message.ShouldContain($"{_publish.Output} holds something that was not published here");
        _publish.Files().Keys.ShouldBe(["thesis.txt"]);
    }

    public void Dispose() => _publish.Dispose();

    private static IResourceBuilder<ProjectResource> Project(IDistributedApplicationBuilder builder, string name) =>
        builder.CreateResourceBuilder((ProjectResource)builder.Resources.Single(resource => resource.Name == name));

    private static EndpointAnnotation Endpoint(IDistributedApplicationBuilder builder, string resource, string endpoint) =>
        builder.Resources.Single(candidate => candidate.Name == resource).Annotations.OfType<EndpointAnnotation>().Single(annotation => annotation.Name == endpoint);
}
