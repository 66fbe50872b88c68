using System.Diagnostics;
using ChatPlatform.Contracts.Protos.Relay.V1;
using ChatPlatform.Relay.Sockets;
using Grpc.Core;

namespace ChatPlatform.Relay.Delivery;

/// <summary>relay.v1.RelayService: frames from one API server, each acknowledged once it is in the sockets' queues or waits for its turn in the room.</summary>
internal sealed class RelayGrpcService(FramePush push, Drain drain) : RelayService.RelayServiceBase
{
    public override async Task Deliver(IAsyncStreamReader<DeliverRequest> requestStream, IServerStreamWriter<DeliverResponse> responseStream, ServerCallContext context)
    {
        // The stream lives as long as the two processes: a span of its own would never end.
        Activity.Current = null;
        // Says at once that the stream stands: before, the other side sends nothing.
        await context.WriteResponseHeadersAsync([]);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, drain.Done);
        try
        {
            await foreach (var frame in requestStream.ReadAllAsync(stop.Token))
                await TakeAsync(frame, responseStream, stop.Token);
        }
        catch (OperationCanceledException) when (drain.Done.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "This relay stops."));
        }
    }

    private async Task TakeAsync(DeliverRequest frame, IServerStreamWriter<DeliverResponse> responseStream, CancellationToken stop)
    {
        ActivityContext.TryParse(frame.Traceparent, null, isRemote: true, out var parent);
        using var span = parent == default ? null : RelayTelemetry.Source.StartActivity("push", ActivityKind.Consumer, parent);
        span?.SetTag("chat.room.id", frame.RoomId).SetTag("chat.entry.seq", frame.Seq).SetTag("chat.users", frame.UserIds.Count);
        var missing = push.Take(frame);
        span?.SetTag("chat.users.missing", missing.Count);
        var answer = new DeliverResponse { FrameId = frame.FrameId };
        answer.MissingUserIds.AddRange(missing);
        await responseStream.WriteAsync(answer, stop);
    }
}
