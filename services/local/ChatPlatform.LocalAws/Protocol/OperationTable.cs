namespace ChatPlatform.LocalAws.Protocol;

/// <summary>One operation of a JSON service: its name, what carries it out, and the members of the request that it honours.</summary>
internal sealed record Operation<THandler>(string Name, THandler Handler, params string[] Parameters);

/// <summary>The operations of one JSON service. Immutable.</summary>
internal sealed class OperationTable<THandler>(params Operation<THandler>[] operations)
{
    private readonly Dictionary<string, Operation<THandler>> _operations = operations.ToDictionary(o => o.Name, StringComparer.Ordinal);

    /// <summary>In the order of the names.</summary>
    public IReadOnlyList<OperationDescription> Descriptions { get; } =
        [.. operations.OrderBy(o => o.Name, StringComparer.Ordinal).Select(o => new OperationDescription(o.Name, o.Parameters))];

    /// <exception cref="AwsException">UnknownOperationException, naming it.</exception>
    public Operation<THandler> Get(string targetPrefix, string operation) =>
        _operations.TryGetValue(operation, out var found) ? found : throw AwsException.UnknownOperation($"{targetPrefix}.{operation}");
}
