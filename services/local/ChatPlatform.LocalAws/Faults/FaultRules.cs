using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Faults;

/// <summary>The fault rules that are set, at most <see cref="MaxRules"/>, in the order of their setting. Gone with the process. Thread-safe.</summary>
internal sealed class FaultRules(TimeProvider time)
{
    public const int MaxRules = 100;

    private readonly Lock _gate = new();

    // Replaced as a whole, so that a request reads it once and without a lock.
    private volatile FaultRule[] _rules = [];

    public IReadOnlyList<FaultRule> All => _rules;

    /// <summary>False when there are <see cref="MaxRules"/> already.</summary>
    public bool TryAdd(FaultRule rule)
    {
        lock (_gate)
        {
            if (_rules.Length >= MaxRules)
                return false;
            _rules = [.. _rules, rule];
            return true;
        }
    }

    public void Clear()
    {
        lock (_gate)
            _rules = [];
    }

    /// <summary>False when there is no such rule.</summary>
    public bool Remove(string id)
    {
        lock (_gate)
        {
            var before = _rules.Length;
            _rules = [.. _rules.Where(r => r.Id != id)];
            return _rules.Length < before;
        }
    }

    /// <summary>Decides what goes wrong with one request of a JSON service; null, at the cost of one read, when nothing does.</summary>
    public DrawnFaults? Draw(IAwsService service, string operation, ReadOnlyMemory<byte> body) =>
        _rules.Length == 0 ? null : DrawFrom(service, operation, body);

    /// <summary>Decides what goes wrong with one request about a thing that is known; null, at the cost of one read, when nothing does.</summary>
    public DrawnFaults? Draw(IAwsService service, string operation, string resource) =>
        _rules is { Length: > 0 } rules ? Draw(rules, service, operation, () => [resource]) : null;

    private DrawnFaults? DrawFrom(IAwsService service, string operation, ReadOnlyMemory<byte> body) =>
        Draw(_rules, service, operation, () => RequestedResources.Of(body.Span));

    private DrawnFaults? Draw(FaultRule[] rules, IAwsService service, string operation, Func<List<string>> resources)
    {
        List<string>? asked = null;
        var struck = rules.Where(rule => rule.Service == service.Name
            && (rule.Operation is null || rule.Operation == operation)
            && (rule.Resource is null || (asked ??= resources()).Contains(rule.Resource))
            && rule.TryStrike()).ToList();
        return struck.Count == 0 ? null : new DrawnFaults(struck, service, operation, time);
    }
}

/// <summary>What goes wrong with one request.</summary>
internal sealed class DrawnFaults(IReadOnlyList<FaultRule> rules, IAwsService service, string operation, TimeProvider time)
{
    /// <summary>Whether the operation is carried out and its answer lost or late.</summary>
    public bool AnyAfter => rules.Any(r => r.After);

    /// <summary>Does what is due before the operation, or after it took effect. False: the connection was reset, nothing more may be sent.</summary>
    /// <exception cref="AwsException">The service's own error.</exception>
    public async ValueTask<bool> StrikeAsync(HttpContext context, bool after)
    {
        foreach (var rule in rules.Where(r => r.After == after))
        {
            switch (rule.Kind)
            {
                case FaultKind.Latency:
                    await Task.Delay(rule.Latency, time, context.RequestAborted);
                    break;
                case FaultKind.Reset:
                    context.Abort();
                    return false;
                case FaultKind.Throttling:
                    throw service.Throttling(operation);
                case FaultKind.InternalError:
                    throw service.InternalError();
            }
        }

        return true;
    }
}
