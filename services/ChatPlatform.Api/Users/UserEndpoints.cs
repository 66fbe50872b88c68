using ChatPlatform.Api.Sessions;
using ChatPlatform.ServiceDefaults.Authentication;

namespace ChatPlatform.Api.Users;

/// <summary>REST of devices, blocks and presence (contracts §3).</summary>
internal static class UserEndpoints
{
    public static void MapUsers(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1").WithTags("Users");

        group.MapPut("/devices/{deviceId}", async (string deviceId, DeviceRequest request, Devices devices, HttpContext http) =>
        {
            await devices.RegisterAsync(http.CallerId(), deviceId, request, http.RequestAborted);
            return TypedResults.NoContent();
        });

        group.MapDelete("/devices/{deviceId}", async (string deviceId, Devices devices, HttpContext http) =>
        {
            await devices.RemoveAsync(http.CallerId(), deviceId, http.RequestAborted);
            return TypedResults.NoContent();
        });

        group.MapPut("/blocks/{userId}", async (string userId, BlockList blocks, HttpContext http) =>
        {
            await blocks.BlockAsync(http.CallerId(), userId, http.RequestAborted);
            return TypedResults.NoContent();
        });

        group.MapDelete("/blocks/{userId}", async (string userId, BlockList blocks, HttpContext http) =>
        {
            await blocks.UnblockAsync(http.CallerId(), userId, http.RequestAborted);
            return TypedResults.NoContent();
        });

        group.MapGet("/blocks", async (BlockList blocks, HttpContext http) => TypedResults.Ok(await blocks.ListAsync(http.CallerId(), http.RequestAborted)));

        group.MapGet("/presence", async (string? userIds, Presence presence) => TypedResults.Ok(await presence.GetAsync(userIds)));
    }
}
