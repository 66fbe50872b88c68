using System.Buffers;
using System.Text;
using ChatPlatform.Forwarder.Delivery;
using Confluent.Kafka;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>
/// Produces to one topic with librdkafka's idempotent producer. A record counts as delivered when its delivery report says so, never when librdkafka has merely queued it. After an error that
/// ends the producer (librdkafka's fatal errors) a new one is made and the records are produced again.
/// </summary>
internal sealed partial class KafkaOutput(KafkaOutputSettings settings, ILogger<KafkaOutput> logger) : IOutput
{
    private readonly byte[]? _rawLogKey = settings.RawLogKey is { } raw ? Encoding.UTF8.GetBytes(raw) : null;
    private readonly byte[]? _messageKeyField = settings.MessageKeyField is { } field ? Encoding.UTF8.GetBytes(field) : null;
    private readonly byte[]? _messageKey = settings.MessageKey is { } key ? Encoding.UTF8.GetBytes(key) : null;
    private IProducer<byte[]?, byte[]>? _producer;

    public async Task<IReadOnlyList<Record>> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        _producer ??= Connect();
        var reports = new Reports(records.Count);
        for (var i = 0; i < records.Count; i++)
        {
            if (Value(records[i]) is not { } value)
            {
                await deadLetters.AddAsync(settings.Alias, records[i], $"it has no text field '{settings.RawLogKey}'", cancellationToken);
                reports.Set(i, null);
                continue;
            }

            var index = i;
            var message = new Message<byte[]?, byte[]> { Key = Key(records[i]), Value = value };
            try
            {
                _producer.Produce(settings.Topic, message, report => reports.Set(index, report.Error.IsError ? report.Error : null));
            }
            catch (ProduceException<byte[]?, byte[]> error)
            {
                // Later records must not overtake this one: they are not produced now.
                reports.Set(i, error.Error);
                for (var later = i + 1; later < records.Count; later++)
                    reports.Set(later, error.Error);
                break;
            }
        }

        var errors = await reports.All.WaitAsync(cancellationToken);
        return await JudgeAsync(records, errors, deadLetters, cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        Disconnect();
        return ValueTask.CompletedTask;
    }

    /// <summary>The records from the first one on that is to be tried again: those after it must not overtake it, so that they go again too.</summary>
    private async Task<IReadOnlyList<Record>> JudgeAsync(IReadOnlyList<Record> records, Error?[] errors, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        for (var i = 0; i < errors.Length; i++)
        {
            if (errors[i] is not { } error)
                continue;
            if (IsAboutTheRecord(error.Code))
            {
                await deadLetters.AddAsync(settings.Alias, records[i], error.Reason, cancellationToken);
                continue;
            }

            // A full client queue with something delivered is the ordinary way through a long batch.
            if (error.Code != ErrorCode.Local_QueueFull || i == 0)
                LogRefused(logger, settings.Alias, error.Code, error.Reason, errors.Length - i);
            if (errors.Any(e => e is { IsFatal: true } or { Code: ErrorCode.Local_Fatal }))
                Disconnect();
            return [.. records.Skip(i)];
        }

        return [];
    }

    /// <summary>Errors that the same record would meet again on any broker at any time. Everything else may pass, or be put right by an operator, and is tried again.</summary>
    private static bool IsAboutTheRecord(ErrorCode code) =>
        code is ErrorCode.MsgSizeTooLarge or ErrorCode.InvalidMsg or ErrorCode.InvalidMsgSize or ErrorCode.RecordListTooLarge or ErrorCode.InvalidRecord;

    private byte[]? Value(Record record)
    {
        if (_rawLogKey is not null)
            return record.Text(_rawLogKey)?.ToArray();
        return RecordJson.Write(record, (json, r) =>
        {
            json.WritePropertyName(settings.TimestampKey);
            RecordTimes.Write(json, r.Time, settings.TimestampFormat);
        });
    }

    private byte[]? Key(Record record) => (_messageKeyField is null ? null : record.Text(_messageKeyField)?.ToArray()) ?? _messageKey;

    private IProducer<byte[]?, byte[]> Connect() => new ProducerBuilder<byte[]?, byte[]>(settings.Client)
        .SetErrorHandler((_, error) => LogClient(logger, settings.Alias, error.Code, error.Reason))
        .SetLogHandler((_, message) => LogClientDetail(logger, settings.Alias, message.Message))
        .Build();

    /// <summary>Ends the producer and what it still held: it is all on disk here.</summary>
    private void Disconnect()
    {
        _producer?.Dispose();
        _producer = null;
    }

    /// <summary>Collects one report a record, from librdkafka's thread and ours.</summary>
    private sealed class Reports(int count)
    {
        private readonly Error?[] _errors = new Error?[count];
        private readonly TaskCompletionSource<Error?[]> _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _missing = count;

        public Task<Error?[]> All => _all.Task;

        public void Set(int index, Error? error)
        {
            _errors[index] = error;
            if (Interlocked.Decrement(ref _missing) == 0)
                _all.SetResult(_errors);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Output}: Kafka did not take a record ({Code}: {Reason}); {Count} records are tried again")]
    private static partial void LogRefused(ILogger logger, string output, ErrorCode code, string reason, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Output}: {Code}: {Reason}")]
    private static partial void LogClient(ILogger logger, string output, ErrorCode code, string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Output}: {Detail}")]
    private static partial void LogClientDetail(ILogger logger, string output, string detail);
}
