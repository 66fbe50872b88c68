namespace ChatPlatform.Relay.Sockets;

/// <summary>A token bucket of a client's frames: so many a second for long, five times as many at once. Not thread-safe: the socket's reader owns it.</summary>
internal struct FrameBudget(int perSecond, TimeProvider time)
{
    private double _left = perSecond * 5.0;
    private long _at = time.GetTimestamp();

    /// <summary>False when the client has sent too many frames.</summary>
    public bool TryTake(TimeProvider time)
    {
        var now = time.GetTimestamp();
        _left = Math.Min(perSecond * 5.0, _left + (time.GetElapsedTime(_at, now).TotalSeconds * perSecond));
        _at = now;
        if (_left < 1)
            return false;
        _left--;
        return true;
    }
}
