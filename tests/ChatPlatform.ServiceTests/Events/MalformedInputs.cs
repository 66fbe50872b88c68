using System.IO.Compression;
using System.Text;
using MessagePack;

namespace ChatPlatform.ServiceTests.Events;

/// <summary>Sixty ways of being no Forward message (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1, https://github.com/msgpack/msgpack/blob/master/spec.md).</summary>
internal static class MalformedInputs
{
    private static readonly byte[] Whole = ForwardClient.Message("bad", ("room-1", "{\"n\":-1}"));

    public static IReadOnlyList<(string Name, byte[] Bytes)> All { get; } = [.. Shapes(), .. Lengths(), .. Cut(), .. Packed()];

    private static IEnumerable<(string, byte[])> Shapes()
    {
        yield return ("the byte that is never used", [0xc1]);
        yield return ("it inside a message", [0x92, 0xa1, (byte)'t', 0xc1]);
        yield return ("an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
        yield return ("a TLS hello", [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
        yield return ("JSON", "[\"chat.events\",1,{}]"u8.ToArray());
        yield return ("a number", [0x01]);
        yield return ("a string", [0xa1, (byte)'t']);
        yield return ("a map", [0x80]);
        yield return ("true", [0xc3]);
        yield return ("an empty array", [0x90]);
        yield return ("a tag alone", [0x91, 0xa1, (byte)'t']);
        yield return ("five parts", [0x95, 0xa1, (byte)'t', 0x01, 0x80, 0x80, 0x80]);
        yield return ("a tag that is a number", [0x93, 0x01, 0x01, 0x80]);
        yield return ("a tag that is nil", [0x93, 0xc0, 0x01, 0x80]);
        yield return ("a tag that is binary", [0x93, 0xc4, 0x01, (byte)'t', 0x01, 0x80]);
        yield return ("an empty tag", [0x93, 0xa0, 0x01, 0x80]);
        yield return ("a tag of 2,000 characters", [0x93, 0xda, 0x07, 0xd0, .. Enumerable.Repeat((byte)'t', 2_000), 0x01, 0x80]);
        yield return ("a time without a record", [0x92, 0xa1, (byte)'t', 0x01]);
        yield return ("a time that is text", [0x93, 0xa1, (byte)'t', 0xa1, (byte)'1', 0x80]);
        yield return ("a time that is a float", [0x93, 0xa1, (byte)'t', 0xcb, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
        yield return ("a time of another extension", [0x93, 0xa1, (byte)'t', 0xd7, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
        yield return ("an EventTime of four bytes", [0x93, 0xa1, (byte)'t', 0xd6, 0x00, 0, 0, 0, 0, 0x80]);
        yield return ("a record that is a number", [0x93, 0xa1, (byte)'t', 0x01, 0x01]);
        yield return ("a record that is an array", [0x93, 0xa1, (byte)'t', 0x01, 0x90]);
        yield return ("a record that is nil", [0x93, 0xa1, (byte)'t', 0x01, 0xc0]);
        yield return ("an entry of one", [0x92, 0xa1, (byte)'t', 0x91, 0x91, 0x01]);
        yield return ("an entry of three", [0x92, 0xa1, (byte)'t', 0x91, 0x93, 0x01, 0x80, 0x80]);
        yield return ("an entry that is no array", [0x92, 0xa1, (byte)'t', 0x91, 0x01]);
        yield return ("a good entry before a bad one", [0x92, 0xa1, (byte)'t', 0x92, 0x92, 0x01, 0x80, 0x92, 0x01, 0x01]);
        yield return ("metadata of one", [0x92, 0xa1, (byte)'t', 0x91, 0x92, 0x91, 0x01, 0x80]);
        yield return ("an option that is text", [0x93, 0xa1, (byte)'t', 0x91, 0x92, 0x01, 0x80, 0xa1, (byte)'x']);
        yield return ("an option named by a number", [0x93, 0xa1, (byte)'t', 0x91, 0x92, 0x01, 0x80, 0x81, 0x01, 0x01]);
        yield return ("a chunk that is a number", [0x93, 0xa1, (byte)'t', 0x91, 0x92, 0x01, 0x80, 0x81, 0xa5, .. "chunk"u8, 0x01]);
        yield return ("nesting of 5,000", [.. Enumerable.Repeat((byte)0x91, 5_000)]);
        yield return ("maps nested in a record", [0x93, 0xa1, (byte)'t', 0x01, .. Enumerable.Repeat<byte[]>([0x81, 0xa1, (byte)'k'], 100).SelectMany(b => b), 0x80]);
    }

    private static IEnumerable<(string, byte[])> Lengths()
    {
        foreach (var code in (byte[])[0xc6, 0xc9, 0xdb, 0xdd, 0xdf])
            yield return ($"code {code:x2} with four thousand million", [0x93, 0xa1, (byte)'t', code, 0xff, 0xff, 0xff, 0xff]);
        yield return ("an array of four thousand million", [0xdd, 0xff, 0xff, 0xff, 0xff]);
        yield return ("a message just above the limit", [0x92, 0xa1, (byte)'t', 0xc6, 0x00, 0x7a, 0x12, 0x01]);
    }

    private static IEnumerable<(string, byte[])> Cut()
    {
        for (var i = 1; i <= 9; i++)
            yield return ($"a message cut at {i} of 10", Whole[..(Whole.Length * i / 10)]);
    }

    private static IEnumerable<(string, byte[])> Packed()
    {
        yield return ("packed text", Message("no entries"u8.ToArray(), null));
        yield return ("packed entries cut", Message([0x92, 0x01, 0x81, 0xa1], null));
        yield return ("packed entries with one more byte", Message([0x92, 0x01, 0x80, 0xc1], null));
        yield return ("packed numbers", Message([0x01, 0x02], null));
        yield return ("gzip that is none", Message([0x92, 0x01, 0x80], "gzip"));
        yield return ("gzip cut", Message(Gzip([0x92, 0x01, 0x80])[..12], "gzip"));
        yield return ("gzip of text", Message(Gzip(Encoding.UTF8.GetBytes("text")), "gzip"));
        yield return ("a gzip bomb", Message(Gzip(new byte[64_000_000]), "gzip"));
        yield return ("another compression", Message([0x92, 0x01, 0x80], "lz4"));
    }

    private static byte[] Message(byte[] entries, string? compressed)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer);
        writer.WriteArrayHeader(3);
        writer.Write("chat.events");
        writer.Write(entries);
        writer.WriteMapHeader(compressed is null ? 1 : 2);
        writer.Write("chunk");
        writer.Write("bad");
        if (compressed is not null)
        {
            writer.Write("compressed");
            writer.Write(compressed);
        }

        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return target.ToArray();
    }
}
