using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms;

internal sealed record CreateRoomRequest(RoomKind? Kind, string? Title, IReadOnlyList<string>? MemberIds, string? ArticleId);

internal sealed record RenameRoomRequest(string? Title);

internal sealed record AddMembersRequest(IReadOnlyList<string>? UserIds);

internal sealed record RoomSettings(bool? Muted);

internal sealed record ReadPosition(long? Seq);
