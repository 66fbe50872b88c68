using System.Diagnostics.CodeAnalysis;

namespace Aspire.Hosting.ApplicationModel;

public static class ResourceExtensions
{
    public static bool TryGetLastAnnotation<T>(this IResource resource, [NotNullWhen(true)] out T? annotation)
        where T : IResourceAnnotation
    {
        annotation = resource.LastAnnotation<T>();
        return annotation is not null;
    }

    public static bool TryGetAnnotationsOfType<T>(this IResource resource, [NotNullWhen(true)] out IEnumerable<T>? result)
        where T : IResourceAnnotation
    {
        var found = resource.AnnotationsOf<T>().ToArray();
        result = found.Length > 0 ? found : null;
        return result is not null;
    }

    public static bool HasAnnotationOfType<T>(this IResource resource)
        where T : IResourceAnnotation => resource.AnnotationsOf<T>().Any();

    public static bool TryGetEndpoints(this IResource resource, [NotNullWhen(true)] out IEnumerable<EndpointAnnotation>? endpoints) =>
        resource.TryGetAnnotationsOfType(out endpoints);

    public static bool TryGetEnvironmentVariables(
        this IResource resource, [NotNullWhen(true)] out IEnumerable<EnvironmentCallbackAnnotation>? environmentVariables) =>
        resource.TryGetAnnotationsOfType(out environmentVariables);

    public static bool TryGetContainerMounts(this IResource resource, [NotNullWhen(true)] out IEnumerable<ContainerMountAnnotation>? volumeMounts) =>
        resource.TryGetAnnotationsOfType(out volumeMounts);

    public static bool TryGetUrls(this IResource resource, [NotNullWhen(true)] out IEnumerable<ResourceUrlAnnotation>? urls) =>
        resource.TryGetAnnotationsOfType(out urls);

    public static bool TryGetContainerImageName(this IResource resource, [NotNullWhen(true)] out string? imageName)
    {
        var image = resource.LastAnnotation<ContainerImageAnnotation>();
        imageName = image is null
            ? null
            : $"{(image.Registry is null ? "" : image.Registry + "/")}{image.Image}{(image.SHA256 is null ? $":{image.Tag ?? "latest"}" : $"@sha256:{image.SHA256}")}";
        return imageName is not null;
    }

    public static bool IsExcludedFromPublish(this IResource resource) =>
        resource.LastAnnotation<ManifestPublishingCallbackAnnotation>() == ManifestPublishingCallbackAnnotation.Ignore;

    public static int GetReplicaCount(this IResource resource) => resource.LastAnnotation<ReplicaAnnotation>()?.Replicas ?? 1;

    public static IEnumerable<EndpointReference> GetEndpoints(this IResourceWithEndpoints resource) =>
        resource.AnnotationsOf<EndpointAnnotation>().Select(e => new EndpointReference(resource, e)).ToArray();

    public static EndpointReference GetEndpoint(this IResourceWithEndpoints resource, string endpointName) => new(resource, endpointName);

    /// <summary>What the resource's program would get, with every value resolved; in publish mode the symbolic forms.</summary>
    public static async ValueTask<Dictionary<string, string>> GetEnvironmentVariableValuesAsync(
        this IResourceWithEnvironment resource, DistributedApplicationOperation applicationOperation = DistributedApplicationOperation.Run)
    {
        var context = new EnvironmentCallbackContext(new DistributedApplicationExecutionContext(applicationOperation), resource);
        foreach (var annotation in resource.AnnotationsOf<EnvironmentCallbackAnnotation>())
        {
            await annotation.Callback(context).ConfigureAwait(false);
        }

        var values = new Dictionary<string, string>();
        foreach (var (name, value) in context.EnvironmentVariables)
        {
            if (await ResolveAsync(value, context.ExecutionContext, resource, CancellationToken.None).ConfigureAwait(false) is { } text)
            {
                values[name] = text;
            }
        }

        return values;
    }

    public static async ValueTask<string[]> GetArgumentValuesAsync(
        this IResourceWithArgs resource, DistributedApplicationOperation applicationOperation = DistributedApplicationOperation.Run)
    {
        var context = new CommandLineArgsCallbackContext([], resource)
        {
            ExecutionContext = new DistributedApplicationExecutionContext(applicationOperation),
        };
        foreach (var annotation in resource.AnnotationsOf<CommandLineArgsCallbackAnnotation>())
        {
            await annotation.Callback(context).ConfigureAwait(false);
        }

        var values = new List<string>();
        foreach (var argument in context.Args)
        {
            if (await ResolveAsync(argument, context.ExecutionContext, resource, CancellationToken.None).ConfigureAwait(false) is { } text)
            {
                values.Add(text);
            }
        }

        return [.. values];
    }

    internal static async ValueTask<string?> ResolveAsync(
        object? value, DistributedApplicationExecutionContext executionContext, IResource caller, CancellationToken cancellationToken) => value switch
        {
            null => null,
            string text => text,
            IManifestExpressionProvider expression when executionContext.IsPublishMode => expression.ValueExpression,
            IValueProvider provider => await provider.GetValueAsync(
                new ValueProviderContext { ExecutionContext = executionContext, Caller = caller }, cancellationToken).ConfigureAwait(false),
            bool flag => flag ? "true" : "false",
            IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
            _ => throw new NotSupportedException($"A value of type {value.GetType()} cannot be given to '{caller.Name}'."),
        };

    internal static IEnumerable<T> AnnotationsOf<T>(this IResource resource) => resource.Annotations.Snapshot().OfType<T>();

    internal static T? LastAnnotation<T>(this IResource resource) => resource.AnnotationsOf<T>().LastOrDefault();

    /// <summary>The ids by which the copies of a resource are known; the name itself where there are no copies.</summary>
    internal static IReadOnlyList<string> InstanceIds(this IResource resource) => resource.LastAnnotation<InstancesAnnotation>()?.Ids ?? [resource.Name];

    internal static string TypeName(this IResource resource) => resource switch
    {
        ProjectResource => "Project",
        ExecutableResource => "Executable",
        ParameterResource => "Parameter",
        _ when resource.IsContainer() => "Container",
        _ => resource.GetType().Name is { } name && name.EndsWith("Resource", StringComparison.Ordinal) ? name[..^"Resource".Length] : resource.GetType().Name,
    };
}
