using System.Text.Json;
using System.Text.Json.Serialization;
using ChatPlatform.Contracts.Events;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Contracts.Json;

/// <summary>
/// JSON of everything that crosses a process boundary: camelCase, times as <see cref="WireTimeConverter"/>, null members left out,
/// and text unescaped but for what JSON itself demands, so that Korean and emoji stay as they were typed (answers are JSON, never embedded in HTML).
/// Use <see cref="Wire"/>; the type's own <c>Default</c> escapes.
/// </summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    NumberHandling = JsonNumberHandling.Strict,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(Entry))]
[JsonSerializable(typeof(Message))]
[JsonSerializable(typeof(MessageAttachment))]
[JsonSerializable(typeof(Room))]
[JsonSerializable(typeof(RoomPage))]
[JsonSerializable(typeof(MessagePage))]
[JsonSerializable(typeof(LogPage))]
[JsonSerializable(typeof(RoomCreatedData))]
[JsonSerializable(typeof(MembersChangedData))]
[JsonSerializable(typeof(MessageCreatedData))]
[JsonSerializable(typeof(MessageDeletedData))]
[JsonSerializable(typeof(MessageReadData))]
[JsonSerializable(typeof(DeliveryMissedData))]
[JsonSerializable(typeof(UserBlockedData))]
public sealed partial class ChatJson : JsonSerializerContext
{
    /// <summary>The context with the wire's escaping. Thread-safe.</summary>
    public static ChatJson Wire => Relaxed.Context;

    // In a type of its own: static fields of a partial class start in no defined order, and this one needs the generated Default.
    private static class Relaxed
    {
        public static readonly ChatJson Context = new(new JsonSerializerOptions(Default.Options) { Encoder = WireEncoder.Instance });
    }
}
