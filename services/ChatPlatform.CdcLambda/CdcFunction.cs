using ChatPlatform.CdcLambda.Delivery;
using ChatPlatform.CdcLambda.Runtime;
using ChatPlatform.CdcLambda.Streams;

namespace ChatPlatform.CdcLambda;

/// <summary>
/// One batch of DynamoDB stream records in, flat JSON lines to Firehose, and the answer <c>{"batchItemFailures":[{"itemIdentifier":"SEQUENCE"}]}</c>
/// (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html). The event source mapping must have
/// <c>FunctionResponseTypes=[ReportBatchItemFailures]</c>: without it Lambda ignores the answer.
/// <para>
/// Lambda delivers everything again from the lowest failure on. So the first record that can never be delivered (malformed, or a line over
/// <see cref="PutBatch.MaximumRecordBytes"/>) ends the batch: what stands before it is sent, it and what follows is reported, and nothing is sent twice or overtaken.
/// Such a record is isolated, and let go, by the mapping: bisect, a retry limit and an on-failure destination. The function itself never drops one.
/// </para>
/// Handles one invocation at a time, as Lambda gives them; its buffers are reused.
/// </summary>
internal sealed class CdcFunction(StreamEventReader reader, FirehoseClient firehose, TimeProvider time, TextWriter log)
{
    /// <summary>Kept for sending the answer before the platform kills the process.</summary>
    private static readonly TimeSpan AnswerReserve = TimeSpan.FromSeconds(1);

    private readonly LineBuffer _lines = new(256 * 1024);
    private readonly List<StreamRecord> _records = [];

    /// <summary>Handles one event and writes the answer.</summary>
    /// <exception cref="FormatException">The event is no DynamoDB stream event: the function fails and Lambda retries the whole batch.</exception>
    public async Task HandleAsync(Invocation invocation, LineBuffer answer)
    {
        _lines.Clear();
        _records.Clear();
        reader.Read(invocation.Event.Span, _lines, _records);

        var deliverable = PutBatch.CountDeliverable(_records);
        if (deliverable < _records.Count)
        {
            var bad = _records[deliverable];
            log.WriteLine($"Record {bad.SequenceNumber(invocation.Event.Span)} cannot be delivered: {bad.Problem ?? $"its line has {bad.LineLength} bytes, more than {PutBatch.MaximumRecordBytes}"}.");
        }

        // A quarter of the time stays free at most: a function with a 2 s timeout still sends.
        var left = invocation.Deadline - time.GetUtcNow();
        var reserve = left / 4 < AnswerReserve ? left / 4 : AnswerReserve;
        var undelivered = await firehose.SendAsync(_lines, _records, deliverable, invocation.Deadline - reserve, log);
        for (var i = deliverable; i < _records.Count; i++)
            undelivered.Add(i);
        WriteAnswer(invocation.Event.Span, undelivered, answer);
    }

    private void WriteAnswer(ReadOnlySpan<byte> source, List<int> undelivered, LineBuffer answer)
    {
        answer.Write("{\"batchItemFailures\":["u8);
        for (var i = 0; i < undelivered.Count; i++)
        {
            var record = _records[undelivered[i]];
            answer.Write(i == 0 ? "{\"itemIdentifier\":\""u8 : ",{\"itemIdentifier\":\""u8);
            answer.Write(source.Slice(record.SequenceStart, record.SequenceLength));
            answer.Write("\"}"u8);
        }

        answer.Write("]}"u8);
    }
}
