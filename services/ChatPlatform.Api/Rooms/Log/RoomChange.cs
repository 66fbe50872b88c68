using System.Diagnostics;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Access;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms.Log;

/// <summary>Where a change stands when it is committed.</summary>
/// <param name="Seq">The entry's seq.</param>
/// <param name="MessageCount">How many messages the room has with it: a new message's ordinal.</param>
/// <param name="At">The commit's time; never before the room's last one.</param>
/// <param name="Room">The room before the commit it is part of.</param>
internal readonly record struct LogPosition(long Seq, long MessageCount, DateTimeOffset At, RoomRow Room);

/// <summary>What came of a change.</summary>
/// <param name="Entry">The entry in the log.</param>
/// <param name="IsNew">False when the change was in the log already, put there by an earlier try.</param>
internal sealed record CommittedChange(Entry Entry, bool IsNew);

/// <summary>
/// One change of a room that waits for its seq. Each has a dedupe identity, so that it is stored once however often its commit is tried:
/// a message that of its sender, any other change one of its own.
/// </summary>
internal sealed class RoomChange
{
    private readonly TaskCompletionSource<CommittedChange> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public required string RoomId { get; init; }

    public required string ActorId { get; init; }

    /// <summary>The client's id of a message, or a fresh one.</summary>
    public string DedupeId { get; init; } = "change:" + Guid.CreateVersion7().ToString("N");

    public required Func<LogPosition, Entry> ToEntry { get; init; }

    /// <summary>What else the transaction writes or checks for it; no two with the same <see cref="Touches"/> go into one transaction.</summary>
    public Func<LogPosition, IReadOnlyList<TransactWriteItem>> AlsoWrites { get; init; } = _ => [];

    /// <summary>How many items <see cref="AlsoWrites"/> gives.</summary>
    public int AlsoWritesCount { get; init; }

    /// <summary>Keys of the items that <see cref="AlsoWrites"/> names: a transaction may name an item once only.</summary>
    public IReadOnlyList<string> Touches { get; init; } = [];

    /// <summary>What to tell the caller when a condition of <see cref="AlsoWrites"/> does not hold.</summary>
    public Func<ChatException> WhenRefused { get; init; } = Refusals.MessageNotFound;

    public bool IsMessage { get; init; }

    public int MembersDelta { get; init; }

    public string? Title { get; init; }

    /// <summary>An upper bound of the bytes its items take.</summary>
    public int EstimatedBytes { get; init; } = 2_048;

    /// <summary>The span of the call that asked for it.</summary>
    public ActivityContext Trace { get; } = Activity.Current?.Context ?? default;

    public Task<CommittedChange> Completion => _completion.Task;

    public void Complete(CommittedChange result) => _completion.TrySetResult(result);

    public void Refuse(Exception refusal) => _completion.TrySetException(refusal);
}
