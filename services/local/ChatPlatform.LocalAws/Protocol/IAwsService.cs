namespace ChatPlatform.LocalAws.Protocol;

/// <summary>A service that runs here, as health pages, README and fault rules speak of it. Implementations are thread-safe.</summary>
internal interface IAwsService
{
    /// <summary>The service's name in health, telemetry and fault rules, e.g. <c>dynamodb</c>.</summary>
    string Name { get; }

    /// <summary>The service's name for people, e.g. <c>DynamoDB Streams</c>.</summary>
    string Title { get; }

    /// <summary>What a fault rule calls the things this service holds: <c>table</c>, <c>bucket</c>, <c>deliveryStream</c>.</summary>
    string ResourceKind { get; }

    /// <summary>Every operation that is there, in the order of the names.</summary>
    IReadOnlyList<OperationDescription> Operations { get; }

    /// <summary>The error with which this service refuses a request that comes too fast.</summary>
    AwsException Throttling(string operation);

    /// <summary>The error with which this service answers when it is itself at fault, status 500.</summary>
    AwsException InternalError();
}

/// <summary>An operation and everything of a request that it honours; whatever else a request holds is refused by name.</summary>
/// <param name="Parameters">Members of the request; for S3 query parameters and headers.</param>
internal sealed record OperationDescription(string Name, IReadOnlyList<string> Parameters);

/// <summary>All services of this process, in the order of their names.</summary>
internal sealed class RunningServices(IEnumerable<IAwsJsonService> json, IEnumerable<IAwsService> others)
{
    public IReadOnlyList<IAwsService> All { get; } = [.. json.Concat(others).OrderBy(s => s.Name, StringComparer.Ordinal)];
}
