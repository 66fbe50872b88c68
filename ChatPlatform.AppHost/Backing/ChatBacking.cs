using ChatPlatform.AppHost.Eks;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.AppHost.Backing;

/// <summary>
/// What the chat stands on. Three of them, chosen by the setting <c>Backing</c> that each launch profile sets; a service gets the same connection strings and
/// standard AWS settings from each, and cannot tell them apart.
/// </summary>
internal abstract class ChatBacking
{
    private readonly DataFolder _data;

    protected ChatBacking(IDistributedApplicationBuilder builder)
    {
        Builder = builder;
        Ports = new LocalPorts(builder.Configuration);
        _data = new DataFolder(builder.Configuration, builder.AppHostDirectory);
    }

    /// <summary>The well-known ports of this run.</summary>
    public LocalPorts Ports { get; }

    protected IDistributedApplicationBuilder Builder { get; }

    /// <summary>Gives the backing that <c>Backing</c> names; without the setting, <c>embedded</c>. What is published stands on AWS, whatever the profile of the desk.</summary>
    /// <exception cref="StartProblem">The name is unknown, a port is taken, or a program is missing.</exception>
    public static ChatBacking Of(IDistributedApplicationBuilder builder)
    {
        ChatBacking backing = (builder.ExecutionContext.IsPublishMode ? AwsBacking.Name : builder.Configuration["Backing"]) switch
        {
            null or "" or EmbeddedBacking.Name => new EmbeddedBacking(builder),
            ContainerBacking.Name => new ContainerBacking(builder),
            AwsBacking.Name => new AwsBacking(builder),
            var unknown => throw new StartProblem($"unknown profile '{unknown}'; use {EmbeddedBacking.Name}, {ContainerBacking.Name} or {AwsBacking.Name}."),
        };

        if (builder.ExecutionContext.IsRunMode)
        {
            backing._data.Claim();
            backing.Ports.EnsureFree();
        }

        return backing;
    }

    /// <summary>The Redis that holds sessions, leases and limits.</summary>
    public abstract IResourceBuilder<IResourceWithConnectionString> AddRedis(string name);

    /// <summary>The brokers; the connection string is the list of bootstrap servers.</summary>
    public abstract IResourceBuilder<IResourceWithConnectionString> AddKafka(string name);

    /// <summary>DynamoDB, its streams, S3 and Firehose.</summary>
    public abstract AwsEdge AddAws(string name);

    /// <summary>What runs functions on stream records; null where AWS itself does. What a function gives up can go to a topic of <paramref name="kafka"/>.</summary>
    public abstract IResourceBuilder<ProjectResource>? AddLambda(string name, AwsEdge aws, IResourceBuilder<IResourceWithConnectionString> kafka);

    /// <summary>The agent that takes events over the forward protocol and delivers them to Kafka.</summary>
    public abstract Upstream AddForwarder(string name, IResourceBuilder<IResourceWithConnectionString> kafka);

    /// <summary>Firebase Cloud Messaging's HTTP v1 API.</summary>
    public virtual FcmUpstream AddFcm(string name)
    {
        var keyFile = Path.Combine(DataFolder("fcm"), "service-account.json");
        var emulator = Builder.AddProject<Projects.ChatPlatform_FcmEmulator>(name, launchProfileName: null)
            .WithHttpEndpoint(port: Ports.Fcm, name: "http", isProxied: false)
            .WithEnvironment("FCM_SERVICE_ACCOUNT_FILE", keyFile)
            .WithHttpHealthCheck("/health");
        return new FcmUpstream(ReferenceExpression.Create($"{emulator.GetEndpoint("http")}"), ReferenceExpression.Create($"chat-local"), ReferenceExpression.Create($"{keyFile}"), emulator);
    }

    /// <summary>A step that makes the tables and ends; where a stack has made them already it ends at once.</summary>
    public virtual IResourceBuilder<SetupStep> AddTables(string name, AwsEdge aws, IReadOnlyList<TableSchema> tables)
    {
        var step = Builder.AddSetupStep(name, (log, cancellationToken) => AwsProvisioning.EnsureTablesAsync(aws, tables, log, cancellationToken));
        return aws.Resource is null ? step : step.WaitFor(aws.Resource);
    }

    /// <summary>A step that makes the bucket that clients upload to, and ends; where a stack has made it already it ends at once.</summary>
    public virtual IResourceBuilder<SetupStep> AddUploads(string name, AwsEdge aws, string bucket)
    {
        var step = Builder.AddSetupStep(name, async (_, cancellationToken) =>
        {
            await AwsProvisioning.EnsureBucketAsync(aws, bucket, cancellationToken);
            await AwsProvisioning.AllowBrowsersAsync(aws, bucket, cancellationToken);
        });
        return aws.Resource is null ? step : step.WaitFor(aws.Resource);
    }

    /// <summary>The keys that sign user tokens and internal calls: made once for a laptop.</summary>
    public virtual TokenKeys AddTokenKeys() => new(
        Builder.AddParameter("jwt-signing-key", () => _data.Secret("jwt-signing-key", 32), secret: true),
        Builder.AddParameter("internal-service-token", () => _data.Secret("internal-service-token", 32), secret: true));

    /// <summary>Our Lambda emulator: there is no other that runs a function as a process and follows a stream as AWS does.</summary>
    protected IResourceBuilder<ProjectResource> AddLambdaEmulator(string name, AwsEdge aws, IResourceBuilder<IResourceWithConnectionString> kafka) => Builder
        .AddProject<Projects.ChatPlatform_LambdaEmulator>(name, launchProfileName: null)
        .WithHttpEndpoint(name: "http")
        .WithEnvironment("DataPath", DataFolder("lambda"))
        .WithAws(aws)
        // Not waited for: only a mapping with a topic for its failures needs the brokers, and it tries until they are there.
        .WithReference(kafka)
        .WithHttpHealthCheck("/health");

    /// <summary>A folder for the state of one part, on this machine.</summary>
    public string DataFolder(string name) => Builder.ExecutionContext.IsRunMode ? _data[name] : $"/var/lib/chat/{name}";
}

/// <summary>Something that services reach by an address rather than by a connection string.</summary>
internal sealed record Upstream(ReferenceExpression Address);

/// <summary>FCM, or what stands in for it.</summary>
/// <param name="Address">The HTTP v1 API.</param>
/// <param name="ProjectId">The Firebase project.</param>
/// <param name="KeyFile">The path of the service account's key file, as the service sees it.</param>
/// <param name="Emulator">Writes the key file when it starts; null for FCM itself.</param>
internal sealed record FcmUpstream(ReferenceExpression Address, ReferenceExpression ProjectId, ReferenceExpression KeyFile, IResourceBuilder<ProjectResource>? Emulator)
{
    /// <summary>The key file's content where a cluster puts it into its place; else null.</summary>
    public EksSecretFile? Key { get; init; }
}

internal static class FcmUpstreamExtensions
{
    /// <summary>Gives a service what it needs to push.</summary>
    public static IResourceBuilder<ProjectResource> WithFcm(this IResourceBuilder<ProjectResource> resource, FcmUpstream fcm)
    {
        resource.WithEnvironment("Fcm__Endpoint", fcm.Address).WithEnvironment("Fcm__ProjectId", fcm.ProjectId).WithEnvironment("Fcm__CredentialsFile", fcm.KeyFile);
        if (fcm.Key is not null)
            resource.WithAnnotation(fcm.Key);
        return fcm.Emulator is null ? resource : resource.WaitFor(fcm.Emulator);
    }
}

/// <summary>The secrets by which callers are known.</summary>
/// <param name="UserSigningKey">HS256 key of users' tokens, base64.</param>
/// <param name="ServiceToken">Bearer token of <c>/internal/*</c>.</param>
internal sealed record TokenKeys(IResourceBuilder<ParameterResource> UserSigningKey, IResourceBuilder<ParameterResource> ServiceToken);

internal static class TokenKeysExtensions
{
    /// <summary>Gives a service what it needs to check who calls.</summary>
    public static IResourceBuilder<T> WithTokenKeys<T>(this IResourceBuilder<T> resource, TokenKeys keys)
        where T : IResourceWithEnvironment => resource
        .WithEnvironment("Jwt__SigningKey", keys.UserSigningKey)
        .WithEnvironment("Jwt__Issuer", "chat-platform")
        .WithEnvironment("Jwt__Audience", "chat")
        .WithEnvironment("Internal__ServiceToken", keys.ServiceToken);
}
