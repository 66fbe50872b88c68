using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceTests.Chat;
using Grpc.Core;
using Grpc.Net.Client;

namespace ChatPlatform.ServiceTests.Api;

/// <summary>Two API servers over LocalAws and a Redis Cluster, without relays. Shared by the tests of a collection; they use rooms and users of their own.</summary>
public sealed class ApiSystem : IAsyncLifetime
{
    private readonly GrpcChannel[] _channels = new GrpcChannel[2];

    public ChatSystem Chat { get; } = new() { RelayCount = 0 };

    /// <summary>A gRPC client for each server.</summary>
    public ChatService.ChatServiceClient[] Grpc { get; } = new ChatService.ChatServiceClient[2];

    public Task<ChatUser> NewUserAsync(string name = "user", string? scope = null) => Chat.NewUserAsync(name, scope);

    public async Task InitializeAsync()
    {
        await Chat.InitializeAsync();
        for (var i = 0; i < 2; i++)
        {
            _channels[i] = GrpcChannel.ForAddress(Chat.ApiGrpc[i]);
            Grpc[i] = new ChatService.ChatServiceClient(_channels[i]);
        }

        await Chat.WaitForApiNodesAsync();
    }

    public async Task DisposeAsync()
    {
        foreach (var channel in _channels)
            channel?.Dispose();
        await Chat.DisposeAsync();
    }

    /// <summary>The metadata of a call in a user's name.</summary>
    public static Metadata As(ChatUser user) => new() { { "authorization", "Bearer " + user.Token } };

    /// <summary>The REST code that a gRPC refusal carries; null when the call succeeds.</summary>
    public static async Task<(StatusCode Status, string? Code)> RefusalOfAsync(Func<Task> call)
    {
        try
        {
            await call();
            return (StatusCode.OK, null);
        }
        catch (RpcException error)
        {
            return (error.StatusCode, error.Trailers.GetValue("chat-error-code"));
        }
    }
}

[CollectionDefinition(Name)]
public sealed class ApiCollection : ICollectionFixture<ApiSystem>
{
    public const string Name = "api";
}
