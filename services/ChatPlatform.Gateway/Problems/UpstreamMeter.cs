using System.Diagnostics.Metrics;

namespace ChatPlatform.Gateway.Problems;

/// <summary>Counts the requests that got no answer from the service behind, by <c>upstream</c> (cluster) and <c>error</c>. Thread-safe.</summary>
internal sealed class UpstreamMeter
{
    public const string Name = "ChatPlatform.Gateway";

    private readonly Counter<long> _errors;

    public UpstreamMeter(IMeterFactory meters) =>
        _errors = meters.Create(Name).CreateCounter<long>("chat.gateway.upstream.errors", "{request}", "Requests that got no answer from the service behind.");

    public void Failed(string upstream, string error) => _errors.Add(1, new("upstream", upstream), new("error", error));
}
