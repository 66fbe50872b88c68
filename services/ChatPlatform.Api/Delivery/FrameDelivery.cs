using System.Diagnostics;
using ChatPlatform.Api.Sessions;
using ChatPlatform.Contracts.Protos.Relay.V1;
using Google.Protobuf;

namespace ChatPlatform.Api.Delivery;

/// <summary>Brings encoded frames to the relays that hold users' sessions. Thread-safe; frames given one after the other reach each relay in that order.</summary>
internal sealed class FrameDelivery(SessionDirectory directory, RelayLinks links)
{
    /// <summary>Looks the users' relays up, for any number of <see cref="Send"/> calls. Every relay known is asked about users whom the directory does not tell of.</summary>
    public async Task<DeliveryRoutes> RouteAsync(IReadOnlyCollection<string> userIds)
    {
        Dictionary<string, List<string>> byRelay = new(StringComparer.Ordinal);
        Dictionary<string, int> relaysOf = new(userIds.Count, StringComparer.Ordinal);
        foreach (var user in userIds)
            relaysOf[user] = 0;
        var found = await directory.FindAsync(userIds);
        foreach (var (user, relays) in found.Relays)
        {
            foreach (var relay in relays)
                Add(relay.Address, user);
        }

        foreach (var user in found.Unknown)
        {
            foreach (var address in links.Known)
            {
                if (!found.Relays.TryGetValue(user, out var relays) || relays.TrueForAll(relay => relay.Address != address))
                    Add(address, user);
            }
        }

        return new DeliveryRoutes(byRelay, relaysOf);

        void Add(string address, string user)
        {
            if (!byRelay.TryGetValue(address, out var users))
                byRelay[address] = users = [];
            users.Add(user);
            relaysOf[user]++;
        }
    }

    /// <summary>Sends one entry's frame along the routes. The task gives the users that no relay could push it to; it always ends, within seconds.</summary>
    public Task<IReadOnlyList<string>> Send(DeliveryRoutes routes, string roomId, long seq, ByteString payload, ActivityContext trace)
    {
        var attempt = new Attempt(routes);
        foreach (var (address, users) in routes.ByRelay)
        {
            var frame = new DeliverRequest { RoomId = roomId, Seq = seq, Payload = payload, UserIds = { users }, Traceparent = ToTraceParent(trace) };
            if (!links.TrySend(address, frame, attempt.Acknowledged))
                attempt.Acknowledged(users);
        }

        return attempt.Missed;
    }

    /// <summary>Sends a frame that may be lost.</summary>
    public void SendEphemeral(DeliveryRoutes routes, string roomId, ByteString payload)
    {
        foreach (var (address, users) in routes.ByRelay)
            links.TrySend(address, new DeliverRequest { RoomId = roomId, Payload = payload, UserIds = { users }, Ephemeral = true }, acknowledged: null);
    }

    private static string ToTraceParent(ActivityContext trace) =>
        trace == default ? "" : $"00-{trace.TraceId}-{trace.SpanId}-{(trace.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? "01" : "00")}";

    /// <summary>Counts, for one frame, on how many relays a user was missing: missed is who was missing on all of theirs.</summary>
    private sealed class Attempt
    {
        private readonly TaskCompletionSource<IReadOnlyList<string>> _missed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Dictionary<string, int> _left;
        private readonly Lock _lock = new();
        private int _relaysLeft;

        public Attempt(DeliveryRoutes routes)
        {
            _left = new Dictionary<string, int>(routes.RelaysOf, StringComparer.Ordinal);
            _relaysLeft = routes.ByRelay.Count;
            if (_relaysLeft == 0)
                Finish();
        }

        public Task<IReadOnlyList<string>> Missed => _missed.Task;

        public void Acknowledged(IReadOnlyCollection<string> missingUserIds)
        {
            lock (_lock)
            {
                foreach (var user in missingUserIds)
                {
                    if (_left.TryGetValue(user, out var relays))
                        _left[user] = relays - 1;
                }

                if (--_relaysLeft == 0)
                    Finish();
            }
        }

        private void Finish() => _missed.TrySetResult(_left.Where(user => user.Value <= 0).Select(user => user.Key).ToList());
    }
}

/// <param name="ByRelay">Relay address → the users with a session there.</param>
/// <param name="RelaysOf">Every user → on how many relays they have a session.</param>
internal sealed record DeliveryRoutes(IReadOnlyDictionary<string, List<string>> ByRelay, IReadOnlyDictionary<string, int> RelaysOf);
