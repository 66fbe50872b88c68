namespace ChatPlatform.FcmEmulator;

/// <summary>Failures that were asked for over <c>POST /_fcm/faults</c>, used up one a send. Thread-safe.</summary>
internal sealed class Faults
{
    private const int Most = 1_000;
    private readonly Lock _gate = new();
    private readonly LinkedList<(string? Token, FcmError Error, int Left)> _waiting = [];

    /// <param name="token">Only sends to this token; null for any.</param>
    /// <param name="error">What they get.</param>
    /// <param name="count">How many sends.</param>
    /// <returns>False when too many are waiting already.</returns>
    public bool Add(string? token, FcmError error, int count)
    {
        lock (_gate)
        {
            if (_waiting.Count >= Most)
                return false;
            _waiting.AddLast((token, error, count));
            return true;
        }
    }

    public FcmError? Take(string token)
    {
        lock (_gate)
        {
            for (var node = _waiting.First; node is not null; node = node.Next)
            {
                if (node.Value.Token is { } only && only != token)
                    continue;
                var (_, error, left) = node.Value;
                if (left <= 1)
                    _waiting.Remove(node);
                else
                    node.Value = node.Value with { Left = left - 1 };
                return error;
            }

            return null;
        }
    }

    public void Clear()
    {
        lock (_gate)
            _waiting.Clear();
    }
}
