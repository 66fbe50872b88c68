using System.Buffers;
using System.IO.Compression;
using MessagePack;

namespace ChatPlatform.UnitTests.Events;

internal enum Mode
{
    Message,
    Forward,
    PackedForward,
    CompressedPackedForward,
}

/// <summary>Messages as a sender writes them.</summary>
internal static class ForwardMessages
{
    public static byte[] Entry(string key, string text, long time = 1_700_000_000)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer);
        writer.WriteArrayHeader(2);
        writer.Write(time);
        writer.WriteMapHeader(2);
        writer.Write("key");
        writer.Write(key);
        writer.Write("event");
        writer.Write(text);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] Write(Mode mode, string? chunk, params byte[][] entries)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer);
        var options = (chunk is null ? 0 : 1) + (mode == Mode.CompressedPackedForward ? 1 : 0);
        writer.WriteArrayHeader((mode == Mode.Message ? 3 : 2) + (options > 0 ? 1 : 0));
        writer.Write("chat.events");
        switch (mode)
        {
            case Mode.Message:
                writer.WriteRaw(entries.Single().AsSpan(1));
                break;
            case Mode.Forward:
                writer.WriteArrayHeader(entries.Length);
                foreach (var entry in entries)
                    writer.WriteRaw(entry);
                break;
            case Mode.PackedForward:
                writer.Write(entries.SelectMany(e => e).ToArray());
                break;
            default:
                writer.Write(Gzip(entries.SelectMany(e => e).ToArray()));
                break;
        }

        if (options > 0)
        {
            writer.WriteMapHeader(options);
            if (chunk is not null)
            {
                writer.Write("chunk");
                writer.Write(chunk);
            }

            if (mode == Mode.CompressedPackedForward)
            {
                writer.Write("compressed");
                writer.Write("gzip");
            }
        }

        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] Gzip(byte[] bytes)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return target.ToArray();
    }
}
