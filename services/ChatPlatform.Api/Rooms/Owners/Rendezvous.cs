using System.IO.Hashing;
using System.Text;

namespace ChatPlatform.Api.Rooms.Owners;

/// <summary>
/// Rendezvous (highest random weight) hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998): everybody who knows the same nodes names the same
/// owner without asking anyone, and a node that comes or goes moves its own share of the rooms only. The hash is the same in every process and version.
/// </summary>
internal static class Rendezvous
{
    /// <summary>The owner of a room, whatever the order of <paramref name="nodes"/>; null when there are none.</summary>
    public static ApiNode? Choose(string roomId, IEnumerable<ApiNode> nodes)
    {
        ApiNode? owner = null;
        var most = 0UL;
        foreach (var node in nodes)
        {
            var weight = XxHash64.HashToUInt64(Encoding.UTF8.GetBytes($"{node.Address}\n{roomId}"));
            // Equal weights must fall the same way everywhere too.
            if (owner is null || weight > most || (weight == most && string.CompareOrdinal(node.Address, owner.Address) > 0))
                (owner, most) = (node, weight);
        }

        return owner;
    }
}
