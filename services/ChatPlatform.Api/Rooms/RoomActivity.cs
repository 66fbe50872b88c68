using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms;

/// <summary>
/// Keeps the index <c>byActivity</c>. In rooms of up to <see cref="SmallRoom"/> members every member's row is touched after a commit. A larger room would cost a write per
/// member and message: once it grew beyond that, its members' rows have <see cref="LargeKey"/> for good, above all times, so that the index gives a user's large rooms (few by nature) by
/// one key; the list reads them whole, with the room rows' times, and merges them in.
/// A sender has read what they sent: their read position moves with it.
/// </summary>
internal sealed class RoomActivity(RoomStore rooms)
{
    /// <summary>Members up to which a room is small.</summary>
    public const int SmallRoom = 50;

    /// <summary>The sort key of a large room's members; sorts after every time.</summary>
    public const string LargeKey = "~";

    public async Task TouchAsync(RoomCommit commit, IReadOnlyList<MemberRow> members, CancellationToken cancellationToken)
    {
        List<Task> writes = [];
        if (!commit.Room.IsLarge)
            writes.AddRange(members.Select(member => (Task)rooms.TouchAsync(commit.Room.RoomId, member.UserId, commit.Room.ActiveAt, cancellationToken)));
        else if (commit.Entries.Any(entry => entry.Type == EntryTypes.MemberJoined))
            writes.AddRange(members.Where(member => !member.IsInLargeRoom).Select(member => (Task)rooms.MarkLargeAsync(commit.Room.RoomId, member.UserId, cancellationToken)));
        await Task.WhenAll(writes);
        var sent = commit.Entries.Where(entry => entry.Type == EntryTypes.MessageCreated && entry.Message!.Kind is not (MessageKind.System or MessageKind.Transfer))
            .GroupBy(entry => entry.ActorId)
            .Select(entries => entries.Last());
        await Task.WhenAll(sent.Select(entry => rooms.MoveReadPositionAsync(entry.RoomId, entry.ActorId, entry.Seq, entry.Message!.Ordinal, cancellationToken)));
    }
}
