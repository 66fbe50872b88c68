using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Dashboard;

/// <summary>Serves the resources to the dashboard over gRPC and puts the dashboard, a program like any other but hidden, into the model.</summary>
internal sealed class DashboardServiceHost(
    DashboardSettings settings,
    DistributedApplicationModel model,
    IConfiguration configuration,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceCommandService commands,
    IHostApplicationLifetime lifetime,
    ILogger<DistributedApplication> logger) : IHostedService
{
    public const string ResourceName = "aspire-dashboard";
    public const string HealthCheckKey = "aspire-dashboard_check";

    private WebApplication? _server;
    private Task? _announcing;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var program = settings.ProgramPath ?? await UnpackAsync(cancellationToken).ConfigureAwait(false);
        if (program is null)
        {
            logger.LogWarning(
                "The dashboard is not installed: no eng/npm/node_modules/@microsoft/aspire-cli-linux-x64 above '{Folder}'. Run npm ci in eng/npm. The system runs without it.",
                configuration["AppHost:Directory"]);
            return;
        }

        var randomize = configuration.GetValue("DcpPublisher:RandomizePorts", false);
        _server = await ServeAsync(randomize ? 0 : settings.ResourceServicePort, cancellationToken).ConfigureAwait(false);
        var address = _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        model.Resources.Add(Dashboard(program, address, randomize));
        _announcing = Task.Run(() => AnnounceAsync(lifetime.ApplicationStopping), CancellationToken.None);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_server is not null)
        {
            // Streams to the dashboard never end by themselves; the dashboard is gone or going.
            using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
            await _server.StopAsync(now.Token).ConfigureAwait(false);
            await _server.DisposeAsync().ConfigureAwait(false);
        }

        if (_announcing is not null)
        {
            await _announcing.ConfigureAwait(false);
        }
    }

    /// <summary>Healthy: something accepts connections on the dashboard's web port.</summary>
    public static HealthCheckRegistration HealthCheck(IResourceCollection resources) => new(HealthCheckKey, _ => new PortCheck(resources), null, null);

    private async Task<WebApplication> ServeAsync(int port, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton(notifications);
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton(commands);
        builder.Services.AddSingleton(lifetime);
        var server = builder.Build();
        server.Use(async (context, next) =>
        {
            if (settings.ResourceServiceKey is { } key && context.Request.Headers["x-resource-service-api-key"] != key)
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                return;
            }

            await next(context).ConfigureAwait(false);
        });
        server.MapGrpcService<DashboardService>();
        try
        {
            await server.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException exception)
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw new DistributedApplicationException(
                $"Port {port} of the resource service (ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL) cannot be listened on. Stop the program that uses it or give another port.",
                exception);
        }

        return server;
    }

    private ExecutableResource Dashboard(string program, string resourceServiceAddress, bool randomize)
    {
        var dashboard = new ExecutableResource(ResourceName, program, Path.GetDirectoryName(program)!);
        var annotations = dashboard.Annotations;
        annotations.Add(new CommandLineArgsCallbackAnnotation(args => args.Add("dashboard")));
        annotations.Add(new HealthCheckAnnotation(HealthCheckKey));
        annotations.Add(new ResourceSnapshotAnnotation(new CustomResourceSnapshot { ResourceType = "Executable", Properties = [], IsHidden = true }));
        Endpoint("http", settings.Frontend);
        Endpoint("otlp-grpc", settings.OtlpGrpc);
        Endpoint("otlp-http", settings.OtlpHttp);
        annotations.Add(new EnvironmentCallbackAnnotation(context =>
        {
            var variables = context.EnvironmentVariables;
            foreach (var (name, value) in configuration.AsEnumerable())
            {
                if (name.StartsWith("ASPIRE_DASHBOARD_", StringComparison.OrdinalIgnoreCase) && value is not null)
                {
                    variables[name] = value;
                }
            }

            variables["ASPNETCORE_ENVIRONMENT"] = "Production";
            variables["DOTNET_ENVIRONMENT"] = "Production";
            variables["ASPNETCORE_URLS"] = Url("http", settings.Frontend);
            variables["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = Url("otlp-grpc", settings.OtlpGrpc);
            variables["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] = Url("otlp-http", settings.OtlpHttp);
            variables["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = resourceServiceAddress;
            // The telemetry as JSON: /api/telemetry/spans and its neighbours.
            variables["ASPIRE_DASHBOARD_API_ENABLED"] = "true";
            Guard("DASHBOARD__FRONTEND", "BrowserToken", "BROWSERTOKEN", settings.BrowserToken);
            Guard("DASHBOARD__OTLP", "ApiKey", "PRIMARYAPIKEY", settings.OtlpApiKey);
            Guard("DASHBOARD__API", "ApiKey", "PRIMARYAPIKEY", settings.ApiKey);
            Guard("DASHBOARD__RESOURCESERVICECLIENT", "ApiKey", "APIKEY", settings.ResourceServiceKey);

            void Guard(string section, string mode, string keyName, string? key)
            {
                variables[$"{section}__AUTHMODE"] = key is null ? "Unsecured" : mode;
                if (key is not null)
                {
                    variables[$"{section}__{keyName}"] = key;
                }
            }
        }));
        return dashboard;

        void Endpoint(string name, Uri address) => annotations.Add(new EndpointAnnotation(
            ProtocolType.Tcp, address.Scheme, name: name, port: randomize || address.Port == 0 ? null : address.Port, isProxied: false));

        ReferenceExpression Url(string name, Uri address) => ReferenceExpression.Create(
            $"{address.Scheme}://{address.Host}:{dashboard.GetEndpoint(name).Property(EndpointProperty.Port)}");
    }

    /// <summary>The tool unpacks the dashboard beside itself, inside the repository; this happens once.</summary>
    private async Task<string?> UnpackAsync(CancellationToken cancellationToken)
    {
        var folder = configuration["AppHost:Directory"]!;
        if (DashboardSettings.FindCommandLineTool(folder) is not { } tool)
        {
            return null;
        }

        var npm = Path.GetFullPath(Path.Combine(tool, "..", "..", "..", "..", ".."));
        var target = Path.Combine(npm, ".aspire");
        var home = Directory.CreateDirectory(Path.Combine(target, "home")).FullName;
        logger.LogInformation("Unpacking the dashboard into {Folder}.", target);
        using var setup = Process.Start(new ProcessStartInfo(tool, ["setup", "--install-path", target, "--non-interactive", "--nologo"])
        {
            Environment = { ["HOME"] = home, ["ASPIRE_CLI_TELEMETRY_OPTOUT"] = "true", ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = setup.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = setup.StandardError.ReadToEndAsync(cancellationToken);
        await setup.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        var program = DashboardSettings.Find(folder);
        if (program is null)
        {
            logger.LogWarning("The dashboard could not be unpacked: {Output}", $"{await output.ConfigureAwait(false)}{await errors.ConfigureAwait(false)}".Trim());
        }

        return program;
    }

    private async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        try
        {
            await notifications.WaitForResourceHealthyAsync(ResourceName, cancellationToken).ConfigureAwait(false);
            if (!model.Resources.TryGetByName(ResourceName, out var resource))
            {
                return;
            }

            var url = ((ExecutableResource)resource).GetEndpoint("http").Url;
            logger.LogInformation("Now listening on: {DashboardUrl}", url);
            logger.LogInformation(
                "Login to the dashboard at {DashboardLoginUrl}", settings.BrowserToken is null ? url : $"{url}/login?t={settings.BrowserToken}");
        }
        catch (OperationCanceledException)
        {
            return;
        }
        catch (DistributedApplicationException exception)
        {
            logger.LogWarning("The dashboard did not start: {Reason}", exception.Message);
        }
    }

    private sealed class PortCheck(IResourceCollection resources) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            if (!resources.TryGetByName(ResourceName, out var resource) || resource is not ExecutableResource dashboard)
            {
                return HealthCheckResult.Unhealthy("There is no dashboard.");
            }

            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync("localhost", dashboard.GetEndpoint("http").Port, cancellationToken).ConfigureAwait(false);
                return HealthCheckResult.Healthy();
            }
            catch (SocketException exception)
            {
                return HealthCheckResult.Unhealthy(exception.Message);
            }
        }
    }
}
