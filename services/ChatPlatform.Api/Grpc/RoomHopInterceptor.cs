using System.Collections.Concurrent;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Rooms.Owners;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceDefaults.Authentication;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace ChatPlatform.Api.Grpc;

/// <summary>What <see cref="RoomHop"/> does for REST, for gRPC: passes calls that change a room on to the server that owns it, by the same rules.</summary>
internal sealed class RoomHopInterceptor(RoomOwners owners, TimeProvider time) : Interceptor, IDisposable
{
    private const int MaxChannels = 64;

    private readonly ConcurrentDictionary<string, Lazy<GrpcChannel>> _channels = new(StringComparer.Ordinal);

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        var http = context.GetHttpContext();
        if (RoomOf(request) is not { Length: > 0 } roomId
            || http.Request.Headers.ContainsKey(RoomHop.Marker)
            || owners.FindElsewhere(roomId) is not { GrpcAddress: { } address } owner)
        {
            return await continuation(request, context);
        }

        var isRepeatable = request is SendMessageRequest or SetReadPositionRequest;
        var limit = (time.GetUtcNow() + (isRepeatable ? RoomHop.RepeatableTimeout : RoomHop.Timeout)).UtcDateTime;
        var metadata = new Metadata { { "authorization", "Bearer " + http.CallerToken() }, { RoomHop.Marker, "1" } };
        try
        {
            var options = new CallOptions(metadata, context.Deadline < limit ? context.Deadline : limit, context.CancellationToken);
            return (TResponse)await CallAsync(new ChatService.ChatServiceClient(Channel(address)), request, options);
        }
        catch (RpcException refused) when (refused.Trailers.GetValue(ChatErrorInterceptor.CodeTrailer) is not null)
        {
            throw Relayed(refused);
        }
        catch (RpcException error) when (!context.CancellationToken.IsCancellationRequested)
        {
            // An answer of the owner without a code is one of its own limits, e.g. a token that ended on the way.
            if (error.StatusCode is StatusCode.Unauthenticated or StatusCode.PermissionDenied or StatusCode.ResourceExhausted or StatusCode.InvalidArgument)
                throw;
            owners.PassOver(owner);
            if (!isRepeatable && !RoomHop.IsUnsent(error.Status.DebugException))
                throw Refusals.Unavailable();
            return await continuation(request, context);
        }
    }

    public void Dispose()
    {
        foreach (var channel in _channels.Values)
            channel.Value.Dispose();
    }

    /// <summary>The room that a call changes, or owes an event of; null for every other call.</summary>
    private static string? RoomOf(object request) => request switch
    {
        SendMessageRequest send => send.RoomId,
        EditMessageRequest edit => edit.RoomId,
        DeleteMessageRequest delete => delete.RoomId,
        SetReactionRequest react => react.RoomId,
        RenameRoomRequest rename => rename.RoomId,
        AddMembersRequest add => add.RoomId,
        RemoveMemberRequest remove => remove.RoomId,
        SetReadPositionRequest read => read.RoomId,
        _ => null,
    };

    private static async Task<object> CallAsync(ChatService.ChatServiceClient owner, object request, CallOptions options) => request switch
    {
        SendMessageRequest send => await owner.SendMessageAsync(send, options),
        EditMessageRequest edit => await owner.EditMessageAsync(edit, options),
        DeleteMessageRequest delete => await owner.DeleteMessageAsync(delete, options),
        SetReactionRequest react => await owner.SetReactionAsync(react, options),
        RenameRoomRequest rename => await owner.RenameRoomAsync(rename, options),
        AddMembersRequest add => await owner.AddMembersAsync(add, options),
        RemoveMemberRequest remove => await owner.RemoveMemberAsync(remove, options),
        SetReadPositionRequest read => await owner.SetReadPositionAsync(read, options),
        _ => throw new InvalidOperationException($"{request.GetType().Name} is not passed on."),
    };

    /// <summary>The owner's refusal as it would have been given here.</summary>
    private static RpcException Relayed(RpcException refused)
    {
        var trailers = new Metadata();
        foreach (var key in (string[])[ChatErrorInterceptor.CodeTrailer, ChatErrorInterceptor.StatusTrailer, ChatErrorInterceptor.RetryTrailer])
        {
            if (refused.Trailers.GetValue(key) is { } value)
                trailers.Add(key, value);
        }

        return new RpcException(new Status(refused.StatusCode, refused.Status.Detail), trailers);
    }

    private GrpcChannel Channel(string address)
    {
        if (_channels.Count >= MaxChannels)
        {
            // Servers come with new addresses at every rollout; the old ones are gone.
            var known = owners.Nodes.Select(node => node.GrpcAddress).ToHashSet();
            foreach (var (old, _) in _channels.Where(channel => !known.Contains(channel.Key)))
            {
                if (_channels.TryRemove(old, out var channel))
                    channel.Value.Dispose();
            }
        }

        return _channels.GetOrAdd(address, static key => new Lazy<GrpcChannel>(
            () => GrpcChannel.ForAddress(key, new GrpcChannelOptions { HttpHandler = RoomHop.NewHandler(), DisposeHttpClient = true }))).Value;
    }
}
