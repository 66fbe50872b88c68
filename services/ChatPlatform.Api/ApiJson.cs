using System.Text.Json;
using System.Text.Json.Serialization;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Attachments;
using ChatPlatform.Api.Messages;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Sessions;
using ChatPlatform.Api.Users;
using ChatPlatform.Contracts.Json;
using Microsoft.AspNetCore.Http.Json;

namespace ChatPlatform.Api;

/// <summary>JSON of the requests, and of answers that no other process shares.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(CreateRoomRequest))]
[JsonSerializable(typeof(RenameRoomRequest))]
[JsonSerializable(typeof(AddMembersRequest))]
[JsonSerializable(typeof(RoomSettings))]
[JsonSerializable(typeof(ReadPosition))]
[JsonSerializable(typeof(SendMessageRequest))]
[JsonSerializable(typeof(EditMessageRequest))]
[JsonSerializable(typeof(CreateAttachmentRequest))]
[JsonSerializable(typeof(AttachmentUpload))]
[JsonSerializable(typeof(DeviceRequest))]
[JsonSerializable(typeof(BlockPage))]
[JsonSerializable(typeof(PresencePage))]
[JsonSerializable(typeof(DevTokenRequest))]
[JsonSerializable(typeof(DevToken))]
[JsonSerializable(typeof(Problem))]
internal sealed partial class ApiJson : JsonSerializerContext
{
    /// <summary>The same rules as <see cref="ChatJson.Wire"/>, for everything that REST reads and writes.</summary>
    public static void Configure(JsonOptions options)
    {
        var json = options.SerializerOptions;
        json.TypeInfoResolverChain.Insert(0, Default);
        json.TypeInfoResolverChain.Insert(0, ChatJson.Default);
        json.Converters.Add(new WireTimeConverter());
        json.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        json.NumberHandling = JsonNumberHandling.Strict;
        json.Encoder = WireEncoder.Instance;
    }
}
