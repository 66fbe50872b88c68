using System.Net;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Events;

/// <summary>What to do with an event that the spool cannot take.</summary>
internal enum WhenSpoolRefuses
{
    /// <summary>Fail the append, so that the caller refuses the work: nothing is promised that the events would not show.</summary>
    Reject,

    /// <summary>Count the event and go on without it: chat before events.</summary>
    Drop,
}

/// <summary>The section <c>Events</c>.</summary>
internal sealed class EventOptions
{
    public const string Section = "Events";

    /// <summary><c>tcp://host:port</c> of the Forward-protocol agent (Fluent Bit, or the forwarder).</summary>
    public Uri? Endpoint { get; set; }

    /// <summary>The folder for what is not acknowledged yet. Replicas may name the same one: each takes a sub-folder of its own.</summary>
    public string? SpoolPath { get; set; }

    /// <summary>Bytes on disk that may wait for the agent; at 1 KiB an event the default holds a quarter of a million.</summary>
    public long SpoolLimitBytes { get; set; } = 256L * 1024 * 1024;

    public WhenSpoolRefuses WhenFull { get; set; } = WhenSpoolRefuses.Reject;

    /// <summary>True: an event is in the spool after <c>fsync</c> and survives a power cut. False: it survives the end of the process, <c>kill -9</c> included.</summary>
    public bool FlushToDisk { get; set; }

    /// <summary>Seconds between looks for the spool of a replica that is gone.</summary>
    public double AdoptSeconds { get; set; } = 15;

    /// <summary>The tag of the records, which the agent's outputs match.</summary>
    public string Tag { get; set; } = "chat.events";

    /// <summary>Seconds without an acknowledgement after which the connection is given up and everything unacknowledged is sent again.</summary>
    public double AckTimeoutSeconds { get; set; } = 15;

    /// <summary>Seconds that the oldest event may wait before readiness reports it as degraded.</summary>
    public double StallSeconds { get; set; } = 60;
}

/// <summary>Stops the service at start with the key, the value and what is allowed.</summary>
internal sealed class EventOptionsValidator : IValidateOptions<EventOptions>
{
    public ValidateOptionsResult Validate(string? name, EventOptions options)
    {
        var wrong = new List<string>();
        if (options.Endpoint is not { Scheme: "tcp", Port: > 0 and <= IPEndPoint.MaxPort } || options.Endpoint.Host.Length == 0)
            wrong.Add($"Events:Endpoint is '{options.Endpoint}'; it must be tcp://host:port.");
        if (string.IsNullOrWhiteSpace(options.SpoolPath))
            wrong.Add("Events:SpoolPath is not set; it must be a folder that this process may write.");
        if (options.SpoolLimitBytes < 64 * 1024)
            wrong.Add($"Events:SpoolLimitBytes is {options.SpoolLimitBytes}; it must be at least 65536.");
        if (!Enum.IsDefined(options.WhenFull))
            wrong.Add($"Events:WhenFull is '{options.WhenFull}'; it must be Reject or Drop.");
        if (options.AdoptSeconds is not (>= 0.1 and <= 86_400))
            wrong.Add($"Events:AdoptSeconds is {options.AdoptSeconds}; it must be from 0.1 to 86400.");
        if (options.Tag.Length is 0 or > 128)
            wrong.Add($"Events:Tag is '{options.Tag}'; it must have 1 to 128 characters.");
        if (options.AckTimeoutSeconds is not (>= 0.1 and <= 600))
            wrong.Add($"Events:AckTimeoutSeconds is {options.AckTimeoutSeconds}; it must be from 0.1 to 600.");
        if (options.StallSeconds is not (>= 0.1 and <= 86_400))
            wrong.Add($"Events:StallSeconds is {options.StallSeconds}; it must be from 0.1 to 86400.");
        return wrong.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(wrong);
    }
}
