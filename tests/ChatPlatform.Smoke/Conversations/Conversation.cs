namespace ChatPlatform.Smoke.Conversations;

/// <summary>A conversation to replay: who talks, where, and every message in the order it was written.</summary>
public sealed record Conversation(
    IReadOnlyList<ConversationUser> Users,
    IReadOnlyList<ConversationRoom> Rooms,
    IReadOnlyList<ConversationMessage> Messages);

/// <param name="Connected">False for someone who never opens a socket: their messages arrive as push.</param>
public sealed record ConversationUser(string UserId, string Name, bool Connected);

/// <param name="Room">The room's name within the file, not its id in the system.</param>
/// <param name="IsGroup">False for a direct room of two.</param>
/// <param name="Members">User ids; the first one creates the room.</param>
public sealed record ConversationRoom(string Room, bool IsGroup, string? Title, string? ArticleId, IReadOnlyList<string> Members);

/// <param name="From">A member of the room.</param>
/// <param name="ClientMessageId">Unique in the file.</param>
/// <param name="Text">Up to 5,000 characters, any of them.</param>
public sealed record ConversationMessage(string Room, string From, string ClientMessageId, string Text);
