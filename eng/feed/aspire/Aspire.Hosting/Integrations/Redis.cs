using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>One Redis server in a container; the connection string is StackExchange.Redis' <c>host:port,password=…</c>.</summary>
    public class RedisResource(string name) : ContainerResource(name), IResourceWithConnectionString
    {
        public RedisResource(string name, ParameterResource password) : this(name) => PasswordParameter = password;

        public EndpointReference PrimaryEndpoint => new(this, "tcp");

        public EndpointReferenceExpression Host => PrimaryEndpoint.Property(EndpointProperty.Host);

        public EndpointReferenceExpression Port => PrimaryEndpoint.Property(EndpointProperty.Port);

        public ParameterResource? PasswordParameter { get; internal set; }

        public ReferenceExpression ConnectionStringExpression => PasswordParameter is { } password
            ? ReferenceExpression.Create($"{PrimaryEndpoint.Property(EndpointProperty.HostAndPort)},password={password}")
            : ReferenceExpression.Create($"{PrimaryEndpoint.Property(EndpointProperty.HostAndPort)}");

        public ReferenceExpression UriExpression => PasswordParameter is { } password
            ? ReferenceExpression.Create($"redis://:{password:uri}@{Host}:{Port}")
            : ReferenceExpression.Create($"redis://{Host}:{Port}");

        public IEnumerable<KeyValuePair<string, ReferenceExpression>> GetConnectionProperties()
        {
            yield return new("Host", ReferenceExpression.Create($"{Host}"));
            yield return new("Port", ReferenceExpression.Create($"{Port}"));
            if (PasswordParameter is { } password)
            {
                yield return new("Password", ReferenceExpression.Create($"{password}"));
            }

            yield return new("Uri", UriExpression);
        }
    }
}

namespace Aspire.Hosting
{
    public static class RedisBuilderExtensions
    {
        public static IResourceBuilder<RedisResource> AddRedis(
            this IDistributedApplicationBuilder builder, string name, int? port = null, IResourceBuilder<ParameterResource>? password = null)
        {
            var redis = new RedisResource(
                name, password?.Resource ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password", special: false));
            return builder.AddResource(redis)
                .WithEndpoint(port: port, targetPort: 6379, scheme: "redis", name: "tcp")
                .WithImage("library/redis", "8.6")
                .WithImageRegistry("docker.io")
                .WithIconName("Database")
                .WithEntrypoint("/bin/sh")
                .WithEnvironment(context =>
                {
                    if (redis.PasswordParameter is { } parameter)
                    {
                        context.EnvironmentVariables["REDIS_PASSWORD"] = parameter;
                    }
                })
                .WithArgs("-c", redis.PasswordParameter is null ? "redis-server" : "redis-server --requirepass $REDIS_PASSWORD");
        }

        public static IResourceBuilder<RedisResource> WithDataVolume(
            this IResourceBuilder<RedisResource> builder, string? name = null, bool isReadOnly = false) =>
            builder.WithVolume(name ?? $"{builder.Resource.Name}-data", "/data", isReadOnly);
    }
}
