using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChatPlatform.Relay.Sockets;

/// <summary>Any frame that a client sends; which members matter follows from <c>type</c>.</summary>
internal sealed record ClientFrame
{
    public string? Type { get; init; }

    public string? Ref { get; init; }

    public string? RoomId { get; init; }

    public string? ClientMessageId { get; init; }

    public string? Kind { get; init; }

    public string? Text { get; init; }

    public JsonElement? Payload { get; init; }

    public long? Seq { get; init; }

    /// <summary>Room id → the last seq that the client has.</summary>
    public Dictionary<string, long>? Resume { get; init; }

    /// <summary>Reads one text frame; null when it is no JSON object of this shape.</summary>
    public static ClientFrame? Parse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return JsonSerializer.Deserialize(utf8, ClientFrameJson.Default.ClientFrame);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ClientFrame))]
internal sealed partial class ClientFrameJson : JsonSerializerContext;
