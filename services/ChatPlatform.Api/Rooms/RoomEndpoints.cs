using ChatPlatform.Api.Rooms.Owners;
using ChatPlatform.Contracts.Rooms;
using ChatPlatform.ServiceDefaults.Authentication;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatPlatform.Api.Rooms;

/// <summary>REST of rooms, members, settings and read positions (contracts §3).</summary>
internal static class RoomEndpoints
{
    public static void MapRooms(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/rooms").WithTags("Rooms");

        group.MapPost("", async Task<Results<Created<Room>, Ok<Room>>> (CreateRoomRequest request, ChatRooms rooms, HttpContext http) =>
        {
            var (room, created) = await rooms.CreateAsync(http.CallerId(), request, http.RequestAborted);
            return created ? TypedResults.Created($"/v1/rooms/{room.RoomId}", room) : TypedResults.Ok(room);
        });

        group.MapGet("", async (int? limit, string? cursor, ChatRooms rooms, HttpContext http) =>
            TypedResults.Ok(await rooms.ListAsync(http.CallerId(), limit, cursor, http.RequestAborted)));

        group.MapGet("/{roomId}", async (string roomId, ChatRooms rooms, HttpContext http) =>
            TypedResults.Ok(await rooms.GetAsync(http.CallerId(), roomId, http.RequestAborted)));

        group.MapPatch("/{roomId}", async (string roomId, RenameRoomRequest request, ChatRooms rooms, HttpContext http) =>
            TypedResults.Ok(await rooms.RenameAsync(http.CallerId(), roomId, request.Title, http.RequestAborted)))
            .WithMetadata(new RoomWrite());

        group.MapPost("/{roomId}/members", async (string roomId, AddMembersRequest request, ChatRooms rooms, HttpContext http) =>
            TypedResults.Ok(await rooms.AddMembersAsync(http.CallerId(), roomId, request.UserIds, http.RequestAborted)))
            .WithMetadata(new RoomWrite());

        group.MapDelete("/{roomId}/members/{userId}", async (string roomId, string userId, ChatRooms rooms, HttpContext http) =>
        {
            await rooms.LeaveAsync(http.CallerId(), roomId, userId, http.RequestAborted);
            return TypedResults.NoContent();
        }).WithMetadata(new RoomWrite());

        group.MapPut("/{roomId}/settings", async (string roomId, RoomSettings settings, ChatRooms rooms, HttpContext http) =>
            TypedResults.Ok(await rooms.SetSettingsAsync(http.CallerId(), roomId, settings, http.RequestAborted)));

        group.MapPut("/{roomId}/read", async (string roomId, ReadPosition position, ChatRooms rooms, HttpContext http) =>
            TypedResults.Ok(new ReadPosition(await rooms.ReadAsync(http.CallerId(), roomId, position.Seq, http.RequestAborted))))
            .WithMetadata(new RoomWrite(IsRepeatable: true));
    }
}
