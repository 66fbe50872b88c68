using ChatPlatform.Api.Limits;
using ChatPlatform.Api.Rooms.Owners;
using ChatPlatform.Contracts.Rooms;
using ChatPlatform.ServiceDefaults.Authentication;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatPlatform.Api.Messages;

/// <summary>REST of messages, reactions and the log (contracts §3).</summary>
internal static class MessageEndpoints
{
    public static void MapMessages(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/rooms/{roomId}").WithTags("Messages");

        group.MapPost("/messages", async Task<Results<Created<Message>, Ok<Message>>> (string roomId, SendMessageRequest request, ChatMessages messages, HttpContext http) =>
            Answer(await messages.SendAsync(http.CallerId(), roomId, request, http.RequestAborted)))
            .WithMetadata(new RoomWrite(IsRepeatable: true), new SendsMessage());

        group.MapGet("/messages", async (string roomId, int? limit, long? before, long? after, ChatMessages messages, HttpContext http) =>
            TypedResults.Ok(await messages.ListAsync(http.CallerId(), roomId, limit, before, after, http.RequestAborted)));

        group.MapPatch("/messages/{seq:long}", async (string roomId, long seq, EditMessageRequest request, ChatMessages messages, HttpContext http) =>
            TypedResults.Ok(await messages.EditAsync(http.CallerId(), roomId, seq, request.Text, http.RequestAborted)))
            .WithMetadata(new RoomWrite());

        group.MapDelete("/messages/{seq:long}", async (string roomId, long seq, ChatMessages messages, HttpContext http) =>
            TypedResults.Ok(await messages.DeleteAsync(http.CallerId(), roomId, seq, http.RequestAborted)))
            .WithMetadata(new RoomWrite());

        group.MapPut("/messages/{seq:long}/reactions/{emoji}", async (string roomId, long seq, string emoji, ChatMessages messages, HttpContext http) =>
            TypedResults.Ok(await messages.ReactAsync(http.CallerId(), roomId, seq, emoji, present: true, http.RequestAborted)))
            .WithMetadata(new RoomWrite());

        group.MapDelete("/messages/{seq:long}/reactions/{emoji}", async (string roomId, long seq, string emoji, ChatMessages messages, HttpContext http) =>
            TypedResults.Ok(await messages.ReactAsync(http.CallerId(), roomId, seq, emoji, present: false, http.RequestAborted)))
            .WithMetadata(new RoomWrite());

        group.MapGet("/log", async (string roomId, long? after, int? limit, ChatMessages messages, HttpContext http) =>
            TypedResults.Ok(await messages.LogAsync(http.CallerId(), roomId, after, limit, http.RequestAborted)));
    }

    /// <summary>For other services; not routed from outside.</summary>
    public static void MapInternalMessages(this IEndpointRouteBuilder routes) =>
        routes.MapPost(
                "/internal/v1/rooms/{roomId}/messages",
                async Task<Results<Created<Message>, Ok<Message>>> (string roomId, SendMessageRequest request, ChatMessages messages, HttpContext http) =>
                    Answer(await messages.PostAsync(http.CallerId(), roomId, request, http.RequestAborted)))
            .WithTags("Internal")
            .WithMetadata(new RoomWrite(IsRepeatable: true))
            .RequireAuthorization(ChatAuthentication.ServicePolicy);

    private static Results<Created<Message>, Ok<Message>> Answer((Message Message, bool Created) sent) => sent.Created
        ? TypedResults.Created($"/v1/rooms/{sent.Message.RoomId}/messages/{sent.Message.Seq}", sent.Message)
        : TypedResults.Ok(sent.Message);
}
