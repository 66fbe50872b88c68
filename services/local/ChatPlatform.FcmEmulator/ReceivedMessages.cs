using System.Text.Json;

namespace ChatPlatform.FcmEmulator;

/// <param name="Name">What the send answered: <c>projects/P/messages/ID</c>.</param>
/// <param name="ReceivedAt">UTC.</param>
/// <param name="Message">The message as it was sent.</param>
internal sealed record ReceivedMessage(string Name, DateTimeOffset ReceivedAt, JsonElement Message);

/// <summary>What each device got: the latest <see cref="MostMessages"/> of the latest <see cref="MostDevices"/> devices. Thread-safe.</summary>
internal sealed class ReceivedMessages
{
    private const int MostDevices = 1_000;
    private const int MostMessages = 2_000;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<Device>> _byToken = [];
    private readonly LinkedList<Device> _latestFirst = [];

    private sealed class Device(string token)
    {
        public string Token { get; } = token;

        public Queue<ReceivedMessage> Messages { get; } = new();

        public bool Unregistered { get; set; }
    }

    public bool IsUnregistered(string token)
    {
        lock (_gate)
            return _byToken.TryGetValue(token, out var node) && node.Value.Unregistered;
    }

    public void SetUnregistered(string token, bool unregistered)
    {
        lock (_gate)
            Touch(token).Unregistered = unregistered;
    }

    public void Add(string token, ReceivedMessage message)
    {
        lock (_gate)
        {
            var device = Touch(token);
            device.Messages.Enqueue(message);
            if (device.Messages.Count > MostMessages)
                device.Messages.Dequeue();
        }
    }

    /// <summary>Oldest first; empty for a token that got nothing.</summary>
    public IReadOnlyList<ReceivedMessage> Of(string token)
    {
        lock (_gate)
            return _byToken.TryGetValue(token, out var node) ? [.. node.Value.Messages] : [];
    }

    /// <summary>The device, now the latest one. Called under the lock.</summary>
    private Device Touch(string token)
    {
        if (_byToken.TryGetValue(token, out var known))
        {
            _latestFirst.Remove(known);
            _latestFirst.AddFirst(known);
            return known.Value;
        }

        if (_byToken.Count >= MostDevices)
        {
            _byToken.Remove(_latestFirst.Last!.Value.Token);
            _latestFirst.RemoveLast();
        }

        var device = new Device(token);
        _byToken[token] = _latestFirst.AddFirst(device);
        return device;
    }
}
