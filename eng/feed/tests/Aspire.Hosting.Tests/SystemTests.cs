using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Tests;

public sealed class SystemTests(RunningSystem system) : IClassFixture<RunningSystem>
{
    [Fact]
    public async Task A_project_is_given_its_ports_its_references_and_its_telemetry_identity()
    {
        using var client = system.App.CreateHttpClient("api", "http");
        var environment = await EnvironmentAsync(client);

        environment["ASPNETCORE_URLS"].ShouldMatch(@"^http://localhost:\d+$");
        environment["GRPC_PORT"].ShouldMatch(@"^\d+$");
        environment["ASPNETCORE_URLS"].ShouldNotContain(environment["GRPC_PORT"]);
        environment["ASPNETCORE_URLS"].ShouldNotEndWith($":{client.BaseAddress!.Port}", customMessage: "a proxied program listens on a port of its own");
        environment["ConnectionStrings__redis"].ShouldBe("127.0.0.1:7001,password=hello");
        environment["GREETING"].ShouldBe("hello");
        environment["SELF_URL"].ShouldBe("http://127.0.0.1:0/hello");
        environment["AWS_REGION"].ShouldBe("ap-northeast-2");
        environment["OTEL_SERVICE_NAME"].ShouldBe("api");
        environment["OTEL_RESOURCE_ATTRIBUTES"].ShouldStartWith("service.instance.id=");
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"].ShouldStartWith("http://localhost:");
    }

    [Fact]
    public async Task A_reference_names_every_endpoint_for_service_discovery_and_as_a_plain_variable()
    {
        using var client = system.App.CreateHttpClient("web");
        var environment = await EnvironmentAsync(client);
        var api = system.App.GetEndpoint("api", "http");
        var grpc = system.App.GetEndpoint("api", "grpc");

        environment["services__api__http__0"].ShouldBe(Url(api));
        environment["API_HTTP"].ShouldBe(Url(api));
        environment["services__api__grpc__0"].ShouldBe(Url(grpc));
        environment["API_GRPC"].ShouldBe(Url(grpc));
        environment["API_PORT_ONLY"].ShouldBe(api.Port.ToString());

        static string Url(Uri uri) => uri.ToString().TrimEnd('/');
    }

    [Fact]
    public async Task Connections_go_round_the_replicas_which_are_instances_of_their_own()
    {
        var pids = new HashSet<string>();
        for (var i = 0; i < 4; i++)
        {
            using var client = system.App.CreateHttpClient("api", "http");
            pids.Add(await client.GetStringAsync("/pid"));
        }

        pids.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_proxied_port_passes_a_large_body_unchanged()
    {
        using var client = system.App.CreateHttpClient("api", "http");
        var body = new byte[8 << 20];
        new Random(1).NextBytes(body);

        using var response = await client.PostAsync("/echo", new ByteArrayContent(body), RunningSystem.InTime);

        (await response.Content.ReadAsByteArrayAsync()).ShouldBe(body);
    }

    [Fact]
    public async Task A_connection_string_is_found_by_name() =>
        (await system.App.GetConnectionStringAsync("redis")).ShouldBe("127.0.0.1:7001,password=hello");

    [Fact]
    public async Task A_stopped_program_can_be_started_again_by_command()
    {
        var notifications = system.App.ResourceNotifications;
        (await system.App.ResourceCommands.ExecuteCommandAsync(Sleeper(), KnownResourceCommands.StopCommand, RunningSystem.InTime)).Success.ShouldBeTrue();
        await notifications.WaitForResourceAsync("sleeper", KnownResourceStates.TerminalStates, RunningSystem.InTime);

        (await system.App.ResourceCommands.ExecuteCommandAsync(Sleeper(), KnownResourceCommands.StartCommand, RunningSystem.InTime)).Success.ShouldBeTrue();
        await notifications.WaitForResourceAsync("sleeper", KnownResourceStates.Running, RunningSystem.InTime);

        IResource Sleeper() => system.App.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(r => r.Name == "sleeper");
    }

    private static async Task<Dictionary<string, string>> EnvironmentAsync(HttpClient client) =>
        (await client.GetFromJsonAsync<Dictionary<string, JsonElement>>("/env"))!.ToDictionary(e => e.Key, e => e.Value.ToString());
}
