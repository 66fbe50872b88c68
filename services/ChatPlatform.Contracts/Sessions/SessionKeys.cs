namespace ChatPlatform.Contracts.Sessions;

/// <summary>
/// The session directory's keys in the Redis Cluster. A user's keys share the hash tag <c>{u:USER}</c> and therefore a slot, so that a script may use them together
/// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
/// </summary>
public static class SessionKeys
{
    /// <summary>A hash: connection id → node (<see cref="Node"/>). Holds sessions of dead nodes until they are swept: believe a node only while <see cref="Lease"/> exists.</summary>
    public static string Sessions(string userId) => $"{{u:{userId}}}:sessions";

    /// <summary>A string: when the user's last connection closed, Unix time in milliseconds.</summary>
    public static string LastSeen(string userId) => $"{{u:{userId}}}:seen";

    /// <summary>One run of a relay: one that comes back under the same id is not taken for the holder of what it held before.</summary>
    public static string Node(string nodeId, string run) => $"{nodeId}~{run}";

    /// <summary>A string with a TTL of <see cref="LeaseTime"/>: the node's gRPC address, e.g. <c>http://127.0.0.1:5101</c>.</summary>
    public static string Lease(string node) => $"{{node:{node}}}:lease";

    /// <summary>A set: the users with sessions on the node, and maybe some who have none any more. What to sweep when it is dead.</summary>
    public static string Users(string node) => $"{{node:{node}}}:users";

    /// <summary>A string with a TTL: who sweeps the dead node.</summary>
    public static string Sweeper(string node) => $"{{node:{node}}}:sweeper";

    /// <summary>A set of the nodes that live, and of dead ones until they are swept.</summary>
    public const string Nodes = "{relay}:nodes";

    /// <summary>A sorted set of the API servers, each scored with the time its lease ends (Unix, ms, by the clock of Redis).</summary>
    public const string ApiNodes = "{api}:nodes";

    /// <summary>How long a relay, or an API server, that says nothing is believed to live.</summary>
    public static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(12);

    /// <summary>How often a relay renews its lease.</summary>
    public static readonly TimeSpan LeaseRenewal = TimeSpan.FromSeconds(4);
}
