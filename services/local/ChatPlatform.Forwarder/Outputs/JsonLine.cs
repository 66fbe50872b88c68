using System.Buffers;
using System.Text;
using ChatPlatform.Forwarder.Configuration;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>A record as one line of text without its end: the JSON object with its time under <see cref="DateKey"/>, or one field alone.</summary>
/// <param name="DateKey"><c>json_date_key</c>; null leaves the time out.</param>
/// <param name="DateFormat"><c>json_date_format</c>.</param>
/// <param name="LogKey"><c>log_key</c>: only this field's text is the line.</param>
internal sealed record JsonLine(string? DateKey, RecordTime DateFormat, string? LogKey)
{
    private readonly byte[]? _logKey = LogKey is null ? null : Encoding.UTF8.GetBytes(LogKey);

    public static JsonLine From(FileSection section, RecordTime otherwise, bool withLogKey = false)
    {
        var key = section.Text("json_date_key") ?? "date";
        var format = section.Text("json_date_format") is null
            ? otherwise
            : section.Choice("json_date_format", "", "double", "epoch", "epoch_ms", "iso8601", "java_sql_timestamp") switch
            {
                "double" => RecordTime.Double,
                "epoch" => RecordTime.Epoch,
                "epoch_ms" => RecordTime.EpochMilliseconds,
                "iso8601" => RecordTime.Iso8601,
                _ => RecordTime.JavaSqlTimestamp,
            };
        return new JsonLine(key.ToLowerInvariant() is "false" or "off" or "" ? null : key, format, withLogKey ? section.Text("log_key") : null);
    }

    /// <returns>Null when the record has no text under <see cref="LogKey"/>.</returns>
    public byte[]? Write(Record record)
    {
        if (_logKey is not null)
            return record.Text(_logKey)?.ToArray();
        return RecordJson.Write(record, DateKey is null
            ? null
            : (json, r) =>
            {
                json.WritePropertyName(DateKey);
                RecordTimes.Write(json, r.Time, DateFormat);
            });
    }
}
