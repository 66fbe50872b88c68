using System.Text;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.Relay.Sockets;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay;

/// <summary>The API servers' gRPC, called in a user's name with the user's own token. Thread-safe. Calls throw <see cref="RpcException"/>.</summary>
internal sealed class ChatCalls : IDisposable
{
    /// <summary>The most rooms of one <see cref="GetPositionsAsync"/>.</summary>
    public const int MaxPositions = 100;

    /// <summary>The largest answer: a page of 1,000 entries whose texts are as long as they may be.</summary>
    private const int MaxAnswerBytes = 64 * 1024 * 1024;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private readonly GrpcChannel _channel;
    private readonly ChatService.ChatServiceClient _client;
    private readonly TimeProvider _time;

    public ChatCalls(IOptions<ApiOptions> options, TimeProvider time)
    {
        _time = time;
        _channel = GrpcChannel.ForAddress(options.Value.GrpcAddress, new GrpcChannelOptions
        {
            MaxReceiveMessageSize = MaxAnswerBytes,
            HttpHandler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = true,
                ConnectTimeout = TimeSpan.FromSeconds(2),
                KeepAlivePingDelay = TimeSpan.FromSeconds(5),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
                // Spreads calls over the servers behind the address and finds new ones.
                PooledConnectionLifetime = TimeSpan.FromMinutes(1),
            },
        });
        _client = new ChatService.ChatServiceClient(_channel);
    }

    /// <summary>Sends a message; tried twice when a server goes away, which <c>clientMessageId</c> makes safe.</summary>
    public async Task<Message> SendAsync(ChatSocket socket, ClientFrame frame)
    {
        var request = new SendMessageRequest
        {
            RoomId = frame.RoomId ?? "",
            ClientMessageId = frame.ClientMessageId ?? "",
            Kind = frame.Kind ?? "",
            Text = frame.Text ?? "",
            PayloadJson = frame.Payload is { } payload ? ByteString.CopyFrom(payload.GetRawText(), Encoding.UTF8) : ByteString.Empty,
        };
        try
        {
            return (await _client.SendMessageAsync(request, Call(socket))).Message;
        }
        catch (RpcException error) when (error.StatusCode is StatusCode.Unavailable && CodeOf(error) is null)
        {
            return (await _client.SendMessageAsync(request, Call(socket))).Message;
        }
    }

    /// <summary>A page of a room's log as all members see it; who reacted is named beside it.</summary>
    public async Task<GetLogResponse> GetSharedLogAsync(string token, string roomId, long after, int limit) =>
        await _client.GetLogAsync(new GetLogRequest { RoomId = roomId, After = after, Limit = limit, Shared = true }, Call(token));

    /// <summary>The last seq of each of the rooms; rooms that the user is no member of are absent.</summary>
    public async Task<IReadOnlyDictionary<string, long>> GetPositionsAsync(string token, IEnumerable<string> roomIds, CancellationToken cancellationToken)
    {
        var answer = await _client.GetPositionsAsync(new GetPositionsRequest { RoomIds = { roomIds } }, Call(token).WithCancellationToken(cancellationToken));
        return answer.LastSeqs;
    }

    public async Task ReadAsync(ChatSocket socket, string roomId, long seq) =>
        await _client.SetReadPositionAsync(new SetReadPositionRequest { RoomId = roomId, Seq = seq }, Call(socket));

    public async Task NotifyTypingAsync(ChatSocket socket, string roomId) =>
        await _client.NotifyTypingAsync(new NotifyTypingRequest { RoomId = roomId }, Call(socket));

    /// <summary>The API's own code of a refusal, e.g. <c>room_not_found</c>; null when the call did not reach it.</summary>
    public static string? CodeOf(RpcException error) => error.Trailers.GetValue("chat-error-code");

    public void Dispose() => _channel.Dispose();

    /// <summary>For what a client asked for with a frame: it counts against the client's address as well, as its REST calls do.</summary>
    private CallOptions Call(ChatSocket socket)
    {
        var call = Call(socket.Token);
        // Of IPv6 a network's address, which counts like any other of that network.
        if (socket.Address is { } address)
            call.Headers!.Add("x-forwarded-for", address.Split('/')[0]);
        return call;
    }

    private CallOptions Call(string token) =>
        new(new Metadata { { "authorization", "Bearer " + token } }, (_time.GetUtcNow() + Deadline).UtcDateTime);
}
