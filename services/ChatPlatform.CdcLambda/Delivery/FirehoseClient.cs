using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using ChatPlatform.CdcLambda.Streams;

namespace ChatPlatform.CdcLambda.Delivery;

/// <summary>
/// PutRecordBatch over the AWS JSON 1.1 protocol. Only failed records are sent again, after a full-jitter pause that doubles up to 5 s
/// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html), until the deadline. Not thread-safe: its buffers are reused.
/// </summary>
internal sealed class FirehoseClient(HttpClient http, CdcSettings settings, TimeProvider time, Random? jitter = null)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly MediaTypeHeaderValue ContentType = new("application/x-amz-json-1.1");

    private readonly Uri _uri = new(settings.FirehoseEndpoint, "/");
    private readonly SigV4 _signer = new(settings.AccessKeyId, settings.SecretAccessKey, settings.SessionToken, settings.Region, "firehose");
    private readonly Random _jitter = jitter ?? Random.Shared;
    private readonly LineBuffer _request = new(512 * 1024);
    private readonly LineBuffer _answer = new(64 * 1024);
    private readonly List<int> _batch = [];
    private readonly HashSet<ulong> _items = [];

    private enum Outcome
    {
        Delivered,
        RetryFailed,
        GiveUp,
    }

    /// <summary>
    /// Sends the lines of the first <paramref name="end"/> records, in order, one call after the other. Gives the indexes, ascending, of those that were not delivered;
    /// once a call has failed for good the later ones are not begun, since Lambda delivers from the lowest failure on again.
    /// </summary>
    public async Task<List<int>> SendAsync(LineBuffer lines, List<StreamRecord> records, int end, DateTimeOffset deadline, TextWriter log)
    {
        for (var next = 0; next < end;)
        {
            next = PutBatch.Take(records, next, end, _batch, _items);
            if (_batch.Count == 0)
                break;
            await SendBatchAsync(lines, records, deadline, log);
            if (_batch.Count == 0)
                continue;

            var undelivered = new List<int>(_batch);
            for (var i = next; i < end; i++)
                undelivered.Add(i);
            return undelivered;
        }

        return [];
    }

    /// <summary>Sends <see cref="_batch"/> until it is delivered or time is up, and leaves in it what is not delivered.</summary>
    private async Task SendBatchAsync(LineBuffer lines, List<StreamRecord> records, DateTimeOffset deadline, TextWriter log)
    {
        var pause = FirstPause;
        while (true)
        {
            var left = deadline - time.GetUtcNow();
            if (left <= TimeSpan.Zero)
                return;
            using var limit = new CancellationTokenSource(left, time);
            try
            {
                var outcome = await PutAsync(lines, records, log, limit.Token);
                if (outcome == Outcome.Delivered)
                    _batch.Clear();
                if (outcome != Outcome.RetryFailed)
                    return;
                await Task.Delay(pause * _jitter.NextDouble(), time, limit.Token);
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested)
            {
                log.WriteLine($"{_batch.Count} records were not delivered to {settings.DeliveryStream} in time.");
                return;
            }

            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private async Task<Outcome> PutAsync(LineBuffer lines, List<StreamRecord> records, TextWriter log, CancellationToken cancellationToken)
    {
        WriteRequest(lines.Span, records);
        using var request = new HttpRequestMessage(HttpMethod.Post, _uri) { Content = new ReadOnlyMemoryContent(_request.Written) };
        request.Content.Headers.ContentType = ContentType;
        _signer.Sign(request, "Firehose_20150804.PutRecordBatch", _request.Span, time.GetUtcNow());

        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            _answer.Clear();
            await using (var body = await response.Content.ReadAsStreamAsync(cancellationToken))
            {
                int read;
                while ((read = await body.ReadAsync(_answer.ReserveMemory(16 * 1024), cancellationToken)) > 0)
                    _answer.Advance(read);
            }

            if (response.IsSuccessStatusCode)
                return ReadFailures(_answer.Span, _batch, log) ? Outcome.RetryFailed : Outcome.Delivered;

            var throttled = _answer.Span.IndexOf("Throttl"u8) >= 0 || _answer.Span.IndexOf("ServiceUnavailable"u8) >= 0 || _answer.Span.IndexOf("LimitExceeded"u8) >= 0;
            log.WriteLine($"PutRecordBatch to {settings.DeliveryStream} answered {(int)response.StatusCode}: {Excerpt(_answer.Span)}");
            return throttled || response.StatusCode is >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests ? Outcome.RetryFailed : Outcome.GiveUp;
        }
        catch (Exception error) when (error is HttpRequestException or IOException or JsonException)
        {
            log.WriteLine($"PutRecordBatch to {settings.DeliveryStream} failed: {error.GetType().Name}.");
            return Outcome.RetryFailed;
        }
    }

    private void WriteRequest(ReadOnlySpan<byte> lines, List<StreamRecord> records)
    {
        _request.Clear();
        _request.Write("{\"DeliveryStreamName\":\""u8);
        _request.Write(Encoding.ASCII.GetBytes(settings.DeliveryStream));
        _request.Write("\",\"Records\":["u8);
        for (var i = 0; i < _batch.Count; i++)
        {
            var record = records[_batch[i]];
            _request.Write(i == 0 ? "{\"Data\":\""u8 : ",{\"Data\":\""u8);
            var line = lines.Slice(record.LineStart, record.LineLength);
            Base64.EncodeToUtf8(line, _request.Reserve(Base64.GetMaxEncodedToUtf8Length(line.Length)), out _, out var written);
            _request.Advance(written);
            _request.Write("\"}"u8);
        }

        _request.Write("]}"u8);
    }

    /// <summary>
    /// Keeps in <paramref name="batch"/> the records whose answer has an <c>ErrorCode</c>, and says whether there are any. The answers come in the order of the request;
    /// the list is untouched when the answer cannot be understood.
    /// </summary>
    /// <exception cref="JsonException">The answer is no JSON, or does not speak of every record.</exception>
    internal static bool ReadFailures(ReadOnlySpan<byte> answer, List<int> batch, TextWriter log)
    {
        var reader = new Utf8JsonReader(answer);
        var (index, lastCode, failures) = (0, default(string), default(List<int>));
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("RequestResponses"u8))
            {
                reader.Read();
                while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
                {
                    var failed = false;
                    while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                    {
                        var isCode = reader.ValueTextEquals("ErrorCode"u8);
                        reader.Read();
                        if (isCode && reader.TokenType == JsonTokenType.String)
                            (failed, lastCode) = (true, reader.GetString());
                        else
                            reader.Skip();
                    }

                    if (index >= batch.Count)
                        throw new JsonException("More answers than records.");
                    if (failed)
                        (failures ??= []).Add(batch[index]);
                    index++;
                }
            }
            else
            {
                reader.Skip();
            }
        }

        if (index != batch.Count)
            throw new JsonException("Fewer answers than records.");
        batch.Clear();
        if (failures is null)
            return false;
        batch.AddRange(failures);
        log.WriteLine($"PutRecordBatch refused {failures.Count} of {index} records: {lastCode}.");
        return true;
    }

    private static string Excerpt(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, 300)]);
}
