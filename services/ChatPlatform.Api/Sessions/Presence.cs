using ChatPlatform.Api.Access;

namespace ChatPlatform.Api.Sessions;

internal sealed record UserPresence(string UserId, bool Online, DateTimeOffset? LastSeenAt);

internal sealed record PresencePage(IReadOnlyList<UserPresence> Items);

/// <summary>Who is connected now, and since when those who are not have been gone. Without Redis everybody counts as offline. Thread-safe.</summary>
internal sealed class Presence(SessionDirectory directory)
{
    private const int MaxUsers = 100;

    public async Task<PresencePage> GetAsync(string? userIds)
    {
        var users = (userIds ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Distinct(StringComparer.Ordinal).Select(id => Checks.UserId(id, "userIds")).ToList();
        if (users.Count is 0 or > MaxUsers)
            throw Refusals.Invalid("userIds", $"1 to {MaxUsers} user ids separated by commas");
        var online = (await directory.FindAsync(users)).Relays;
        var seen = await directory.LastSeenAsync(users.Where(user => !online.ContainsKey(user)).ToList());
        return new PresencePage(users
            .Select(user => new UserPresence(user, online.ContainsKey(user), seen.TryGetValue(user, out var at) ? at : null))
            .ToList());
    }
}
