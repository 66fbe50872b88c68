using System.Diagnostics;
using System.Diagnostics.Metrics;
using Amazon.Runtime;
using ChatPlatform.Notifier.Devices;
using ChatPlatform.Notifier.Push;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Notifier.Delivery;

/// <summary>Pushes one event to every device of every user it names. Returns when each push is accepted or refused for good, however long FCM or the table is away. Thread-safe.</summary>
internal sealed partial class MissedDeliveryPusher(
    DeviceDirectory devices, UnreadCounts unreadCounts, FcmClient fcm, IOptions<FcmOptions> options, TimeProvider time, IMeterFactory meters, ILogger<MissedDeliveryPusher> logger)
{
    /// <summary>Users of one event that are looked after at the same time.</summary>
    private const int Width = 16;

    private static readonly ActivitySource Source = new("ChatPlatform.Notifier");
    private readonly Counter<long> _pushes = meters.Create("ChatPlatform.Notifier").CreateCounter<long>("notifier.pushes", "{push}", "Sends to FCM by outcome.");

    public async Task PushAsync(MissedDelivery missed, CancellationToken cancellationToken)
    {
        using var activity = Source.StartActivity("push missed delivery", ActivityKind.Consumer);
        activity?.SetTag("chat.room.id", missed.RoomId).SetTag("chat.seq", missed.Seq).SetTag("chat.users", missed.UserIds.Count);
        await Parallel.ForEachAsync(missed.UserIds.Distinct(), new ParallelOptions { MaxDegreeOfParallelism = Width, CancellationToken = cancellationToken }, async (userId, cancelled) =>
        {
            var targets = await UntilAnsweredAsync(c => devices.DevicesToPushAsync(userId, missed.RoomId, c), cancelled);
            if (targets.Count == 0)
                return;
            var unread = await UntilAnsweredAsync(c => unreadCounts.OfAsync(userId, missed, c), cancelled);
            foreach (var device in targets)
                await PushAsync(device, missed, unread, cancelled);
        });
    }

    private async Task PushAsync(Device device, MissedDelivery missed, long unread, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            var answer = await fcm.SendAsync(device.Token, missed, unread, cancellationToken);
            _pushes.Add(1, new KeyValuePair<string, object?>("outcome", answer.Outcome.ToString()));
            switch (answer.Outcome)
            {
                case PushOutcome.Sent:
                    return;
                case PushOutcome.Unregistered:
                    LogUnregistered(logger, device.UserId, device.SortKey);
                    await UntilAnsweredAsync(
                        async c =>
                        {
                            await devices.RemoveAsync(device, c);
                            return true;
                        },
                        cancellationToken);
                    return;
                case PushOutcome.Refused:
                    LogRefused(logger, missed.RoomId, missed.Seq, answer.Detail);
                    return;
                default:
                    LogLater(logger, missed.RoomId, missed.Seq, answer.Detail);
                    await Task.Delay(answer.RetryAfter is { } after ? Later(after) : Backoff(attempt), time, cancellationToken);
                    continue;
            }
        }
    }

    private async Task<T> UntilAnsweredAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await call(cancellationToken);
            }
            catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException && !cancellationToken.IsCancellationRequested)
            {
                LogTable(logger, error.Message);
                await Task.Delay(Backoff(attempt), time, cancellationToken);
            }
        }
    }

    private TimeSpan Backoff(int attempt) =>
        TimeSpan.FromSeconds(Math.Min(options.Value.RetryCapSeconds, options.Value.RetryBaseSeconds * Math.Pow(2, Math.Min(attempt, 20)))) * (0.5 + Random.Shared.NextDouble());

    /// <summary>Never before what FCM asks for, and not everyone at the same instant.</summary>
    private static TimeSpan Later(TimeSpan after) => after * (1 + (0.1 * Random.Shared.NextDouble()));

    [LoggerMessage(Level = LogLevel.Information, Message = "FCM no longer knows {Device} of {User}; it is removed")]
    private static partial void LogUnregistered(ILogger logger, string user, string device);

    [LoggerMessage(Level = LogLevel.Error, Message = "FCM refused a push for {Room}/{Seq} for good: {Detail}")]
    private static partial void LogRefused(ILogger logger, string room, long seq, string? detail);

    [LoggerMessage(Level = LogLevel.Warning, Message = "FCM did not take a push for {Room}/{Seq} this time: {Detail}")]
    private static partial void LogLater(ILogger logger, string room, long seq, string? detail);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The table did not answer: {Reason}")]
    private static partial void LogTable(ILogger logger, string reason);
}
