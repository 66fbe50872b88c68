namespace ChatPlatform.Relay.Sockets;

/// <summary>A token bucket of a client's frames. Not thread-safe: the socket's reader owns it.</summary>
internal sealed class FrameBudget(int perSecond, TimeProvider time)
{
    private readonly double _most = perSecond * 5.0;
    private double _left = perSecond * 5.0;
    private long _at = time.GetTimestamp();

    /// <summary>False when the client has sent too many frames.</summary>
    public bool TryTake()
    {
        var now = time.GetTimestamp();
        _left = Math.Min(_most, _left + (time.GetElapsedTime(_at, now).TotalSeconds * perSecond));
        _at = now;
        if (_left < 1)
            return false;
        _left--;
        return true;
    }
}
