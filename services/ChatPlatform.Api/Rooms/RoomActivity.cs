using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms;

/// <summary>
/// Keeps the index <c>byActivity</c>. In rooms of up to <see cref="SmallRoom"/> members every member's row is touched after a commit. A larger room would cost a write per
/// member and message; its rows keep the time of joining, so it sinks in the index while the room row has its true time. Planned for those: a second, sparse list of a
/// user's large rooms (few by nature), read whole, joined with the room rows and merged into the page by true activity.
/// A sender has read what they sent: their read position moves with it.
/// </summary>
internal sealed class RoomActivity(RoomStore rooms)
{
    /// <summary>Members up to which a room is small.</summary>
    public const int SmallRoom = 50;

    public async Task TouchAsync(RoomCommit commit, IReadOnlyList<MemberRow> members, CancellationToken cancellationToken)
    {
        List<Task> writes = [];
        if (members.Count <= SmallRoom)
            writes.AddRange(members.Select(member => (Task)rooms.TouchAsync(commit.Room.RoomId, member.UserId, commit.Room.ActiveAt, cancellationToken)));
        await Task.WhenAll(writes);
        var sent = commit.Entries.Where(entry => entry.Type == EntryTypes.MessageCreated && entry.Message!.Kind is not (MessageKind.System or MessageKind.Transfer))
            .GroupBy(entry => entry.ActorId)
            .Select(entries => entries.Last());
        await Task.WhenAll(sent.Select(entry => rooms.MoveReadPositionAsync(entry.RoomId, entry.ActorId, entry.Seq, entry.Message!.Ordinal, cancellationToken)));
    }
}
