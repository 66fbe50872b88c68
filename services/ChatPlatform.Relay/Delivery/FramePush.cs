using ChatPlatform.Contracts.Protos.Relay.V1;
using ChatPlatform.Relay.Resume;
using ChatPlatform.Relay.Sessions;

namespace ChatPlatform.Relay.Delivery;

/// <summary>Brings frames from API servers to the sockets of this node. Thread-safe.</summary>
internal sealed class FramePush : IDisposable
{
    private readonly SessionRegistry _registry;
    private readonly RoomTails _tails;
    private readonly RoomOrder _order;

    public FramePush(SessionRegistry registry, RoomTails tails, TimeProvider time)
    {
        _registry = registry;
        _tails = tails;
        _order = new RoomOrder(PushEntry, time);
    }

    /// <summary>Takes a frame on and gives the users who have no open socket here.</summary>
    public IReadOnlyList<string> Take(DeliverRequest frame)
    {
        List<string> missing = [];
        foreach (var user in frame.UserIds)
        {
            var isHere = false;
            foreach (var socket in _registry.Of(user))
            {
                if (!socket.IsReady || socket.CloseCode != 0)
                    continue;
                isHere = true;
                if (frame.Ephemeral)
                    socket.EnqueueEphemeral(frame.Payload.Memory);
            }

            if (!isHere)
                missing.Add(user);
        }

        if (!frame.Ephemeral)
            _order.Add(new EntryFrame(frame.RoomId, frame.Seq, frame.UserIds, frame.Payload.Memory));
        return missing;
    }

    public void Dispose() => _order.Dispose();

    private void PushEntry(EntryFrame entry)
    {
        _tails.Offer(entry.RoomId, entry.Seq, entry.Payload);
        var count = 0;
        foreach (var user in entry.UserIds)
        {
            foreach (var socket in _registry.Of(user))
            {
                if (!socket.IsReady)
                    continue;
                socket.EnqueueEntry(entry.RoomId, entry.Seq, entry.Payload);
                count++;
            }
        }

        RelayTelemetry.Pushed.Add(count);
    }
}
