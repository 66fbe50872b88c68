using System.Buffers;
using System.Buffers.Binary;

namespace ChatPlatform.Forwarder.Forward;

/// <summary>The bytes are no Forward-protocol message within the limits; the connection that sent them is closed.</summary>
internal sealed class MalformedMessageException : Exception
{
    public MalformedMessageException(string message)
        : base(message)
    {
    }

    public MalformedMessageException(string message, Exception cause)
        : base(message, cause)
    {
    }
}

/// <summary>
/// Finds the end of one MessagePack value (https://github.com/msgpack/msgpack/blob/master/spec.md) in bytes that arrive in pieces, without reading any of them twice and without believing an
/// announced length or nesting beyond its limits. Not thread-safe.
/// </summary>
internal sealed class MessageFramer(long maxBytes, int maxDepth = MessageFramer.MaxDepth)
{
    /// <summary>A record of nested maps deeper than this is an attack on whoever walks it recursively.</summary>
    public const int MaxDepth = 32;

    private readonly long[] _left = new long[maxDepth + 1];
    private int _depth;
    private long _scanned;
    private bool _started;

    /// <summary>True with the value's length when <paramref name="buffer"/>, which begins where the value begins, holds all of it; then the framer is ready for the next value.</summary>
    /// <exception cref="MalformedMessageException">It can become no value within the limits.</exception>
    public bool TryFrame(in ReadOnlySequence<byte> buffer, out long length)
    {
        if (!_started)
        {
            _started = true;
            _depth = 0;
            _left[0] = 1;
            _scanned = 0;
        }

        Span<byte> head = stackalloc byte[5];
        while (true)
        {
            while (_left[_depth] == 0)
            {
                if (_depth == 0)
                {
                    length = _scanned;
                    _started = false;
                    return true;
                }

                _depth--;
            }

            var rest = buffer.Slice(_scanned);
            var have = (int)Math.Min(rest.Length, head.Length);
            rest.Slice(0, have).CopyTo(head);
            if (have == 0 || !TryHead(head[..have], out var bytes, out var children))
            {
                length = 0;
                return false;
            }

            if (_scanned + bytes > maxBytes || children > maxBytes - _scanned)
                throw new MalformedMessageException($"a message of more than {maxBytes} bytes");
            if (rest.Length < bytes)
            {
                length = 0;
                return false;
            }

            _scanned += bytes;
            _left[_depth]--;
            if (children == 0)
                continue;
            if (_depth == maxDepth)
                throw new MalformedMessageException($"values nested deeper than {maxDepth}");
            _left[++_depth] = children;
        }
    }

    /// <summary>What one code announces: its own bytes with its payload, and how many values follow as its children. False when <paramref name="head"/> is too short to tell.</summary>
    private static bool TryHead(ReadOnlySpan<byte> head, out long bytes, out long children)
    {
        children = 0;
        var code = head[0];
        switch (code)
        {
            case <= 0x7f or >= 0xe0 or 0xc0 or 0xc2 or 0xc3:
                bytes = 1;
                return true;
            case <= 0x8f:
                bytes = 1;
                children = (code & 0x0f) * 2;
                return true;
            case <= 0x9f:
                bytes = 1;
                children = code & 0x0f;
                return true;
            case <= 0xbf:
                bytes = 1 + (code & 0x1f);
                return true;
            case 0xc1:
                throw new MalformedMessageException("the byte 0xc1, which MessagePack never uses");
            case 0xcc or 0xd0:
                bytes = 2;
                return true;
            case 0xcd or 0xd1 or 0xd4:
                bytes = 3;
                return true;
            case 0xd5:
                bytes = 4;
                return true;
            case 0xca or 0xce or 0xd2:
                bytes = 5;
                return true;
            case 0xd6:
                bytes = 6;
                return true;
            case 0xcb or 0xcf or 0xd3:
                bytes = 9;
                return true;
            case 0xd7:
                bytes = 10;
                return true;
            case 0xd8:
                bytes = 18;
                return true;
        }

        // What is left carries a length of 1, 2 or 4 bytes.
        var width = code switch { 0xc4 or 0xc7 or 0xd9 => 1, 0xc5 or 0xc8 or 0xda or 0xdc or 0xde => 2, _ => 4 };
        bytes = 0;
        if (head.Length < 1 + width)
            return false;
        long announced = width switch { 1 => head[1], 2 => BinaryPrimitives.ReadUInt16BigEndian(head[1..]), _ => BinaryPrimitives.ReadUInt32BigEndian(head[1..]) };
        bytes = 1 + width;
        switch (code)
        {
            case 0xdc or 0xdd:
                children = announced;
                break;
            case 0xde or 0xdf:
                children = announced * 2;
                break;
            case 0xc7 or 0xc8 or 0xc9:
                bytes += 1 + announced;
                break;
            default:
                bytes += announced;
                break;
        }

        return true;
    }
}
