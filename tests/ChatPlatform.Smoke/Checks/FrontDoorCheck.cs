using System.Net;
using System.Text;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>The web client is served, the API is behind the gateway and asks for a token, and what is internal is not there.</summary>
internal static class FrontDoorCheck
{
    public static async Task<string> RunAsync(ConversationReplay replay, CancellationToken cancellationToken)
    {
        using var page = await replay.Gateway.GetAsync("/", cancellationToken);
        if (page.StatusCode != HttpStatusCode.OK || page.Content.Headers.ContentType?.MediaType != "text/html")
            throw new CheckFailedException($"GET / answered {(int)page.StatusCode} {page.Content.Headers.ContentType}");

        using var anonymous = await replay.Gateway.GetAsync("/v1/rooms", cancellationToken);
        if (anonymous.StatusCode != HttpStatusCode.Unauthorized)
            throw new CheckFailedException($"GET /v1/rooms without a token answered {(int)anonymous.StatusCode}, not 401");

        using var body = new StringContent("{}", Encoding.UTF8, "application/json");
        using var inside = await replay.Gateway.PostAsync("/internal/v1/rooms/r/messages", body, cancellationToken);
        if (inside.StatusCode != HttpStatusCode.NotFound)
            throw new CheckFailedException($"POST /internal/… answered {(int)inside.StatusCode}, not 404");
        return "web client served, 401 without a token, /internal/* not reachable";
    }
}
