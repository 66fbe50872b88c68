using System.Buffers;
using ChatPlatform.Forwarder.Forward;
using ChatPlatform.Forwarder.Outputs;
using Record = ChatPlatform.Forwarder.Outputs.Record;

namespace ChatPlatform.UnitTests.Events;

public sealed class ForwardMessageTests
{
    private const int MaxBytes = 1_000_000;

    [Theory]
    [InlineData(nameof(Mode.Message))]
    [InlineData(nameof(Mode.Forward))]
    [InlineData(nameof(Mode.PackedForward))]
    [InlineData(nameof(Mode.CompressedPackedForward))]
    public void Every_mode_brings_the_same_entries(string name)
    {
        var mode = Enum.Parse<Mode>(name);
        byte[][] entries = mode == Mode.Message ? [ForwardMessages.Entry("r1", "안녕 😀")] : [ForwardMessages.Entry("r1", "안녕 😀"), ForwardMessages.Entry("r2", "two")];

        var message = Read(ForwardMessages.Write(mode, "c1", entries))!;

        message.Tag.ShouldBe("chat.events");
        message.Chunk.ShouldBe("c1");
        message.Count.ShouldBe(entries.Length);
        message.Entries.ToArray().ShouldBe(entries.SelectMany(e => e).ToArray());
    }

    [Fact]
    public void A_record_on_disk_gives_back_its_fields_byte_for_byte()
    {
        const string Text = "{\"text\":\"줄\\n바꿈 \\u0001 😀\"}";
        var message = Read(ForwardMessages.Write(Mode.PackedForward, null, ForwardMessages.Entry("방-1", Text)))!;
        message.Chunk.ShouldBeNull();
        var frame = new ArrayBufferWriter<byte>();
        ChunkFrame.Write(frame, message.Tag, message.Entries.Span);

        var records = new List<Record>();
        Record.Read(frame.WrittenMemory, new TagPattern("chat.*"), records);

        var record = records.ShouldHaveSingleItem();
        record.Time.ShouldBe(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000));
        System.Text.Encoding.UTF8.GetString(record.Text("event"u8)!.Value.ToArray()).ShouldBe(Text);
        System.Text.Encoding.UTF8.GetString(record.Text("key"u8)!.Value.ToArray()).ShouldBe("방-1");
        record.Text("none"u8).ShouldBeNull();

        records.Clear();
        Record.Read(frame.WrittenMemory, new TagPattern("other.*"), records);
        records.ShouldBeEmpty();
    }

    [Fact]
    public void A_message_is_found_however_its_bytes_arrive()
    {
        var messages = Enum.GetValues<Mode>().Select(mode => ForwardMessages.Write(mode, "c", ForwardMessages.Entry("r", new string('y', 70_000)))).ToList();
        var stream = messages.SelectMany(m => m).ToArray();
        foreach (var step in (int[])[1, 3, 17, 4_096])
        {
            var framer = new MessageFramer(MaxBytes);
            var lengths = new List<long>();
            var start = 0;
            for (var end = 0; end <= stream.Length; end = end < stream.Length ? Math.Min(end + step, stream.Length) : end + 1)
            {
                while (start < end && framer.TryFrame(new ReadOnlySequence<byte>(stream, start, end - start), out var length))
                {
                    lengths.Add(length);
                    start += (int)length;
                }
            }

            lengths.ShouldBe(messages.Select(m => (long)m.Length));
        }
    }

    [Fact]
    public void Mutated_and_random_bytes_are_refused_or_understood_and_nothing_else_happens()
    {
        var random = new Random(20_260_101);
        var seeds = Enum.GetValues<Mode>().Select(mode => ForwardMessages.Write(mode, "chunk-1", ForwardMessages.Entry("r1", "text"))).ToList();
        var refused = 0;
        for (var i = 0; i < 60_000; i++)
        {
            var bytes = (byte[])seeds[random.Next(seeds.Count)].Clone();
            if (i % 7 == 0)
                random.NextBytes(bytes);
            for (var flips = random.Next(1, 6); flips > 0; flips--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                if (Read(bytes[..random.Next(1, bytes.Length + 1)]) is { } message)
                {
                    var records = new List<Record>();
                    var frame = new ArrayBufferWriter<byte>();
                    ChunkFrame.Write(frame, message.Tag, message.Entries.Span);
                    Record.Read(frame.WrittenMemory, new TagPattern("*"), records);
                    records.Count.ShouldBe(message.Count);
                    foreach (var record in records)
                        RecordJson.Write(record).Length.ShouldBeGreaterThan(1);
                }
            }
            catch (MalformedMessageException)
            {
                refused++;
            }
        }

        refused.ShouldBeGreaterThan(1_000);
    }

    public static TheoryData<string, byte[]> Attacks() => new()
    {
        { "nested arrays", Enumerable.Repeat((byte)0x91, 100_000).ToArray() },
        { "an array of four thousand million", [0xdd, 0xff, 0xff, 0xff, 0xff] },
        { "a map of four thousand million", [0xdf, 0xff, 0xff, 0xff, 0xff] },
        { "a string of four gigabytes", [0xdb, 0xff, 0xff, 0xff, 0xff] },
        { "the byte that is never used", [0x92, 0xc1, 0xc1] },
        { "a gzip bomb", ForwardMessages.Write(Mode.CompressedPackedForward, "c", Enumerable.Range(0, 40).Select(i => ForwardMessages.Entry("r", new string('a', 60_000))).ToArray()) },
        { "a tag that is a number", [0x93, 0x01, 0x01, 0x80] },
        { "a record that is no map", [0x93, 0xa1, (byte)'t', 0x01, 0x01] },
        { "an entry of three", [0x92, 0xa1, (byte)'t', 0x91, 0x93, 0x01, 0x80, 0x80] },
        { "an HTTP request", "GET / HTTP/1.1\r\n\r\n"u8.ToArray() },
    };

    [Theory]
    [MemberData(nameof(Attacks))]
    public void An_attack_is_refused(string name, byte[] bytes)
    {
        name.ShouldNotBeEmpty();
        Should.Throw<MalformedMessageException>(() => Read(bytes));
    }

    private static ForwardMessage? Read(byte[] bytes)
    {
        var sequence = new ReadOnlySequence<byte>(bytes);
        return new MessageFramer(MaxBytes).TryFrame(sequence, out var length) ? ForwardMessage.Read(sequence.Slice(0, length), MaxBytes, new ArrayBufferWriter<byte>()) : null;
    }
}
