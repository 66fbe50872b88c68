using Amazon.KinesisFirehose;
using Amazon.KinesisFirehose.Model;
using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Delivery;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>https://docs.fluentbit.io/manual/pipeline/outputs/firehose</summary>
/// <param name="TimeKey"><c>time_key</c>: the time is added under this key; null adds none.</param>
/// <param name="TimeKeyFormat"><c>time_key_format</c>, strftime.</param>
/// <param name="LogKey"><c>log_key</c>: only this field's text is sent.</param>
internal sealed record FirehoseOutputSettings(
    string Alias, TagPattern Match, long TotalLimitBytes, AwsEndpoint Aws, string DeliveryStream, string? TimeKey, string TimeKeyFormat, JsonLine Line)
    : OutputSettings(Alias, Match, TotalLimitBytes)
{
    public static FirehoseOutputSettings From(FileSection section, string alias, TagPattern match, long limit)
    {
        var format = section.Text("time_key_format") ?? "%Y-%m-%dT%H:%M:%S";
        if (TimeFormat.Unknown(format) is { } unknown)
            throw section.Invalid("time_key_format", format, $"without {unknown}, which is no time conversion here");
        return new FirehoseOutputSettings(
            alias, match, limit, AwsEndpoint.From(section), section.RequiredText("delivery_stream"), section.Text("time_key"), format,
            new JsonLine(null, RecordTime.Double, section.Text("log_key")));
    }

    /// <returns>The bytes that Firehose gets, with a line end as Fluent Bit puts it; null when the record has no text under <c>log_key</c>.</returns>
    public byte[]? Data(Record record)
    {
        if (Line.LogKey is null && TimeKey is not null)
            return [.. RecordJson.Write(record, (json, r) => json.WriteString(TimeKey, TimeFormat.Apply(TimeKeyFormat, r.Time))), (byte)'\n'];
        return Line.Write(record) is { } line ? [.. line, (byte)'\n'] : null;
    }
}

/// <summary>
/// Sends with PutRecordBatch (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html): at most 500 records and 4 MiB a request, 1,000 KiB a record. Records that
/// the answer names as failed are tried again, and only they.
/// </summary>
internal sealed class FirehoseOutput : IOutput
{
    private const int MostRecords = 500;
    private const int MostBytes = 4 * 1024 * 1024;
    private const int MostRecordBytes = 1_000 * 1024;
    private readonly FirehoseOutputSettings _settings;
    private readonly AmazonKinesisFirehoseClient _client;

    public FirehoseOutput(FirehoseOutputSettings settings)
    {
        _settings = settings;
        var config = new AmazonKinesisFirehoseConfig();
        settings.Aws.Apply(config);
        _client = new AmazonKinesisFirehoseClient(config);
    }

    public async Task<IReadOnlyList<Record>> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        var left = new List<Record>();
        var batch = new List<(Record Record, byte[] Data)>();
        var (bytes, answered) = (0, false);
        for (var i = 0; i < records.Count; i++)
        {
            if (_settings.Data(records[i]) is not { Length: <= MostRecordBytes } data)
            {
                await deadLetters.AddAsync(_settings.Alias, records[i], $"it has no text field '{_settings.Line.LogKey}', or more than {MostRecordBytes} bytes", cancellationToken);
                continue;
            }

            if (batch.Count == MostRecords || bytes + data.Length > MostBytes)
            {
                if (!await PutAsync())
                    return [.. left, .. records.Skip(i)];
                bytes = 0;
            }

            batch.Add((records[i], data));
            bytes += data.Length;
        }

        if (batch.Count > 0)
            await PutAsync();
        return left;

        // False: Firehose does not answer, and asking on would not help now.
        async Task<bool> PutAsync()
        {
            try
            {
                var answer = await _client.PutRecordBatchAsync(
                    new PutRecordBatchRequest
                    {
                        DeliveryStreamName = _settings.DeliveryStream,
                        Records = [.. batch.Select(item => new Amazon.KinesisFirehose.Model.Record { Data = new MemoryStream(item.Data) })],
                    },
                    cancellationToken);
                if (answer.FailedPutCount > 0)
                    left.AddRange(batch.Zip(answer.RequestResponses).Where(pair => pair.Second.ErrorCode is not null).Select(pair => pair.First.Record));
                batch.Clear();
                return answered = true;
            }
            catch (Exception error) when (AwsEndpoint.IsRefusal(error, cancellationToken))
            {
                if (!answered)
                    throw new DeliveryException($"the delivery stream {_settings.DeliveryStream}: {error.Message}", error);
                left.AddRange(batch.Select(item => item.Record));
                return false;
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }
}
