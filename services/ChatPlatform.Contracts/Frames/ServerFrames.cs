using System.Buffers;
using System.Text.Json;
using ChatPlatform.Contracts.Json;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Contracts.Frames;

/// <summary>
/// The WebSocket frames that a server sends (contracts §4), as UTF-8. A frame is encoded once, by whoever has its content first, and its bytes are shared by every socket;
/// an entry's bytes inside its frame are the same in live delivery and in replay.
/// </summary>
public static class ServerFrames
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = WireEncoder.Instance };

    /// <summary><c>{"type":"pong"}</c>.</summary>
    public static ReadOnlyMemory<byte> Pong { get; } = "{\"type\":\"pong\"}"u8.ToArray();

    public static byte[] Entry(Entry entry) => Entry(JsonSerializer.SerializeToUtf8Bytes(entry, ChatJson.Wire.Entry));

    /// <summary>The frame of an entry that is JSON already.</summary>
    public static byte[] Entry(ReadOnlySpan<byte> entryJson) => [.. EntryStart, .. entryJson, (byte)'}'];

    /// <summary>The entry's JSON inside the frame that <see cref="Entry(ReadOnlySpan{byte})"/> made of it.</summary>
    public static ReadOnlySpan<byte> EntryOf(ReadOnlySpan<byte> frame) => frame[EntryStart.Length..^1];

    private static ReadOnlySpan<byte> EntryStart => "{\"type\":\"entry\",\"entry\":"u8;

    /// <summary>The answer to a <c>send</c>; <paramref name="messageJson"/> is the message as REST writes it.</summary>
    public static byte[] Ack(string? reference, ReadOnlyMemory<byte> messageJson) => Write("ack", (reference, messageJson), static (json, state) =>
    {
        WriteReference(json, state.reference);
        json.WritePropertyName("message"u8);
        json.WriteRawValue(state.messageJson.Span, skipInputValidation: true);
    });

    public static byte[] Error(string? reference, string code, string title) => Write("error", (reference, code, title), static (json, state) =>
    {
        WriteReference(json, state.reference);
        json.WriteString("code"u8, state.code);
        json.WriteString("title"u8, state.title);
    });

    public static byte[] Read(string roomId, string userId, long seq) => Write("read", (roomId, userId, seq), static (json, state) =>
    {
        json.WriteString("roomId"u8, state.roomId);
        json.WriteString("userId"u8, state.userId);
        json.WriteNumber("seq"u8, state.seq);
    });

    public static byte[] Typing(string roomId, string userId) => Write("typing", (roomId, userId), static (json, state) =>
    {
        json.WriteString("roomId"u8, state.roomId);
        json.WriteString("userId"u8, state.userId);
    });

    public static byte[] Resumed(string roomId, long seq) => Write("resumed", (roomId, seq), static (json, state) =>
    {
        json.WriteString("roomId"u8, state.roomId);
        json.WriteNumber("seq"u8, state.seq);
    });

    public static byte[] Reset(string roomId) => Write("reset", roomId, static (json, room) => json.WriteString("roomId"u8, room));

    public static byte[] Draining(TimeSpan retryAfter) =>
        Write("draining", retryAfter, static (json, wait) => json.WriteNumber("retryAfterMs"u8, (long)wait.TotalMilliseconds));

    public static byte[] Welcome(string connectionId, string userId, string nodeId, int heartbeatSeconds) =>
        Write("welcome", (connectionId, userId, nodeId, heartbeatSeconds), static (json, state) =>
        {
            json.WriteString("connectionId"u8, state.connectionId);
            json.WriteString("userId"u8, state.userId);
            json.WriteString("nodeId"u8, state.nodeId);
            json.WriteNumber("heartbeatSeconds"u8, state.heartbeatSeconds);
        });

    private static void WriteReference(Utf8JsonWriter json, string? reference)
    {
        if (reference is not null)
            json.WriteString("ref"u8, reference);
    }

    private static byte[] Write<TState>(string type, TState state, Action<Utf8JsonWriter, TState> members)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer, Relaxed);
        json.WriteStartObject();
        json.WriteString("type"u8, type);
        members(json, state);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
