using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace ChatPlatform.SystemTests;

/// <summary>What each profile's app model holds, without starting it: the profiles that need an engine or an account are shown this way.</summary>
public sealed class AppModelTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("chat-model-").FullName;

    [Fact]
    public async Task Embedded_holds_every_part_and_no_container()
    {
        var model = await ModelAsync("embedded");

        model.Resources.OfType<ContainerResource>().ShouldBeEmpty();
        Names(model).ShouldBe(
            [
                "api", "aws", "chat-log-pipeline", "chat-members-pipeline", "chat-rooms-pipeline", "chat-tables", "chat-uploads", "fcm", "fluent-bit", "gateway", "insights",
                "internal-service-token", "jwt-signing-key", "kafka", "kafka-broker", "lambda", "notifier", "redis", "redis-1", "redis-2", "redis-3", "relay",
            ]);
    }

    [Fact]
    public async Task Another_teams_table_gets_its_pipeline_in_one_line()
    {
        var model = await ModelAsync("embedded", "Samples:Orders=true");

        Names(model).ShouldContain("orders-tables");
        Names(model).ShouldContain("orders-pipeline");
        (await EnvironmentKeysAsync(model, "lambda")).ShouldContain("Functions__orders-cdc__Environment__DELIVERY_STREAM");
        (await EnvironmentKeysAsync(await ModelAsync("embedded"), "lambda")).ShouldNotContain("Functions__orders-cdc__Environment__DELIVERY_STREAM");
    }

    [Theory]
    [InlineData("redis", "docker.io/library/redis", null)]
    [InlineData("kafka-broker", "apache/kafka", "4.1.1")]
    [InlineData("aws", "localstack/localstack", "4.14.0")]
    [InlineData("fluent-bit", "fluent/fluent-bit", "4.2.0")]
    public async Task Containers_stands_on_images_pinned_to_a_tag(string resource, string image, string? tag)
    {
        var model = await ModelAsync("containers");

        var container = model.Resources.OfType<ContainerResource>().Single(r => r.Name == resource);
        container.TryGetLastAnnotation<ContainerImageAnnotation>(out var annotation).ShouldBeTrue();
        string.Join('/', new[] { annotation!.Registry, annotation.Image }.OfType<string>()).ShouldEndWith(image);
        annotation.Tag.ShouldNotBeNullOrEmpty();
        annotation.Tag.ShouldNotBe("latest");
        if (tag is not null)
            annotation.Tag.ShouldBe(tag);
    }

    [Theory]
    [InlineData("embedded")]
    [InlineData("containers")]
    public async Task A_local_profile_points_every_AWS_client_at_the_edge(string profile)
    {
        var model = await ModelAsync(profile);

        foreach (var name in new[] { "api", "notifier", "lambda" })
        {
            var environment = await EnvironmentKeysAsync(model, name);
            environment.ShouldContain("AWS_ENDPOINT_URL", $"{name} in {profile}");
            environment.ShouldContain("AWS_REGION", $"{name} in {profile}");
        }
    }

    [Fact]
    public async Task Embedded_lets_Firehose_ask_functions_and_functions_failures_go_to_topics()
    {
        var model = await ModelAsync("embedded");

        (await EnvironmentKeysAsync(model, "aws")).ShouldContain("Firehose__LambdaEndpoint");
        (await EnvironmentKeysAsync(model, "lambda")).ShouldContain("ConnectionStrings__kafka");
    }

    [Fact]
    public async Task Aws_sets_no_endpoint_and_runs_no_emulator_of_an_AWS_service()
    {
        var model = await ModelAsync("aws", "ConnectionStrings:redis=redis.example:6379", "ConnectionStrings:kafka=kafka.example:9092",
            "Parameters:jwt-signing-key=x", "Parameters:internal-service-token=y");

        Names(model).ShouldNotContain("aws");
        Names(model).ShouldNotContain("lambda");
        model.Resources.OfType<ContainerResource>().ShouldBeEmpty();
        var environment = await EnvironmentKeysAsync(model, "api");
        environment.ShouldNotContain("AWS_ENDPOINT_URL");
        environment.ShouldNotContain("AWS_SECRET_ACCESS_KEY");
        environment.ShouldContain("AWS_REGION");
    }

    [Theory]
    [InlineData("embedded")]
    [InlineData("containers")]
    [InlineData("aws")]
    public async Task Every_profile_gives_a_service_the_same_names(string profile)
    {
        var model = await ModelAsync(profile, "ConnectionStrings:redis=redis.example:6379", "ConnectionStrings:kafka=kafka.example:9092",
            "Parameters:jwt-signing-key=x", "Parameters:internal-service-token=y");

        (await EnvironmentKeysAsync(model, "api")).ShouldContain("ConnectionStrings__redis");
        (await EnvironmentKeysAsync(model, "relay")).ShouldContain("ConnectionStrings__redis");
        (await EnvironmentKeysAsync(model, "notifier")).ShouldContain("ConnectionStrings__kafka");
        (await EnvironmentKeysAsync(model, "api")).ShouldContain("Events__Endpoint");
    }

    [Fact]
    public async Task An_unknown_profile_is_refused_by_name()
    {
        var error = await Should.ThrowAsync<Exception>(() => ModelAsync("docker"));

        error.ToString().ShouldContain("unknown profile 'docker'; use embedded, containers or aws.");
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private static IReadOnlyList<string> Names(DistributedApplicationModel model) =>
        // Parameters that a resource generates for itself (a container's password) are not what a profile is made of.
        [.. model.Resources.Where(r => !r.Name.EndsWith("-password", StringComparison.Ordinal) && !r.Name.Contains("dashboard") && !r.Name.EndsWith("-rebuilder", StringComparison.Ordinal))
            .Select(r => r.Name).Order(StringComparer.Ordinal)];

    private async Task<DistributedApplicationModel> ModelAsync(string profile, params string[] settings)
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.ChatPlatform_AppHost>(
            [$"--Backing={profile}", "--Ports:Random=true", $"--DataPath={_data}/{Guid.NewGuid():N}", .. settings.Select(setting => "--" + setting)]);
        var app = await builder.BuildAsync();
        return app.Services.GetRequiredService<DistributedApplicationModel>();
    }

    /// <summary>The names of the variables a resource gets; their values need running endpoints and are left alone.</summary>
    private static async Task<IReadOnlyCollection<string>> EnvironmentKeysAsync(DistributedApplicationModel model, string name)
    {
        var resource = model.Resources.Single(r => r.Name == name);
        var context = new EnvironmentCallbackContext(new DistributedApplicationExecutionContext(DistributedApplicationOperation.Run), resource);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
            await annotation.Callback(context);
        return context.EnvironmentVariables.Keys;
    }
}
