using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>How a record's time stands in JSON; Fluent Bit's names for <c>json_date_format</c> and <c>timestamp_format</c>.</summary>
internal enum RecordTime
{
    /// <summary>Seconds with a fraction, a number.</summary>
    Double,

    /// <summary>Whole seconds, a number.</summary>
    Epoch,

    /// <summary>Milliseconds, a number.</summary>
    EpochMilliseconds,

    /// <summary><c>2018-05-30T09:39:52.000681Z</c></summary>
    Iso8601,

    /// <summary><c>2018-05-30T09:39:52.000681123Z</c></summary>
    Iso8601Nanoseconds,

    /// <summary><c>2018-05-30 09:39:52.000681</c></summary>
    JavaSqlTimestamp,
}

internal static class RecordTimes
{
    public static void Write(Utf8JsonWriter json, DateTimeOffset time, RecordTime format)
    {
        switch (format)
        {
            case RecordTime.Double:
                json.WriteRawValue(Seconds(time));
                return;
            case RecordTime.Epoch:
                json.WriteNumberValue(time.ToUnixTimeSeconds());
                return;
            case RecordTime.EpochMilliseconds:
                json.WriteNumberValue(time.ToUnixTimeMilliseconds());
                return;
            default:
                var pattern = format switch
                {
                    RecordTime.Iso8601 => "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'",
                    RecordTime.Iso8601Nanoseconds => "yyyy-MM-dd'T'HH:mm:ss.fffffff'00Z'",
                    _ => "yyyy-MM-dd HH:mm:ss.ffffff",
                };
                json.WriteStringValue(time.UtcDateTime.ToString(pattern, CultureInfo.InvariantCulture));
                return;
        }
    }

    /// <summary>Seconds since the epoch with a fraction, as Fluent Bit writes times.</summary>
    public static string Seconds(DateTimeOffset time) =>
        ((time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / 1e7m).ToString("0.000000000", CultureInfo.InvariantCulture);
}

/// <summary>strftime(3) in UTC, as far as <see cref="Conversions"/> goes, with Fluent Bit's <c>%3N</c>, <c>%9N</c> and <c>%L</c>.</summary>
internal static class TimeFormat
{
    private static readonly Dictionary<string, Func<DateTimeOffset, string>> Conversions = new()
    {
        ["%3N"] = time => time.ToString("fff", CultureInfo.InvariantCulture),
        ["%9N"] = Nanoseconds,
        ["%L"] = Nanoseconds,
        ["%Y"] = time => time.ToString("yyyy", CultureInfo.InvariantCulture),
        ["%y"] = time => time.ToString("yy", CultureInfo.InvariantCulture),
        ["%m"] = time => time.ToString("MM", CultureInfo.InvariantCulture),
        ["%d"] = time => time.ToString("dd", CultureInfo.InvariantCulture),
        ["%H"] = time => time.ToString("HH", CultureInfo.InvariantCulture),
        ["%M"] = time => time.ToString("mm", CultureInfo.InvariantCulture),
        ["%S"] = time => time.ToString("ss", CultureInfo.InvariantCulture),
        ["%F"] = time => time.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        ["%T"] = time => time.ToString("HH:mm:ss", CultureInfo.InvariantCulture),
        ["%j"] = time => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        ["%s"] = time => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        ["%z"] = _ => "+0000",
        ["%Z"] = _ => "UTC",
        ["%%"] = _ => "%",
    };

    /// <summary>The first conversion in <paramref name="format"/> that is not known; null when all are.</summary>
    public static string? Unknown(string format)
    {
        for (var at = format.IndexOf('%'); at >= 0; at = format.IndexOf('%', at))
        {
            if (Known(format, at) is not { } known)
                return format.Substring(at, Math.Min(2, format.Length - at));
            at += known.Length;
        }

        return null;
    }

    public static string Apply(string format, DateTimeOffset time)
    {
        var text = new StringBuilder();
        var utc = time.ToUniversalTime();
        for (var at = 0; at < format.Length;)
        {
            if (format[at] == '%' && Known(format, at) is { } known)
            {
                text.Append(Conversions[known](utc));
                at += known.Length;
            }
            else
            {
                text.Append(format[at++]);
            }
        }

        return text.ToString();
    }

    private static string? Known(string format, int at) => Conversions.Keys.FirstOrDefault(key => string.CompareOrdinal(format, at, key, 0, key.Length) == 0);

    private static string Nanoseconds(DateTimeOffset time) => time.ToString("fffffff", CultureInfo.InvariantCulture) + "00";
}
