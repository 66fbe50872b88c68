using System.Globalization;
using System.Text;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>
/// A pattern of Java's DateTimeFormatter (https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html#patterns), the letters that name
/// a date or a time: y u M L d D E e H k K h m s S a A n N Q q x X Z and quoted text. Letters it does not know are refused. Immutable.
/// </summary>
internal sealed class TimestampPattern
{
    private readonly List<Func<DateTimeOffset, string>> _parts = [];

    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>.</exception>
    public static TimestampPattern Parse(string setting, string text)
    {
        if (text.Length == 0)
            throw FirehoseException.InvalidArgument($"{setting} contains an empty timestamp pattern.");
        var pattern = new TimestampPattern();
        for (var at = 0; at < text.Length;)
        {
            if (text[at] == '\'')
            {
                at = pattern.AddQuoted(setting, text, at);
                continue;
            }

            var count = 1;
            while (at + count < text.Length && text[at + count] == text[at])
                count++;
            pattern.Add(setting, text[at], count);
            at += count;
        }

        return pattern;
    }

    public string Format(DateTimeOffset time)
    {
        var result = new StringBuilder();
        foreach (var part in _parts)
            result.Append(part(time));
        return result.ToString();
    }

    private int AddQuoted(string setting, string text, int at)
    {
        var literal = new StringBuilder();
        for (var i = at + 1; i < text.Length; i++)
        {
            if (text[i] != '\'')
            {
                literal.Append(text[i]);
            }
            else if (i + 1 < text.Length && text[i + 1] == '\'')
            {
                // Two quotes are one, inside quoted text and outside.
                literal.Append('\'');
                i++;
            }
            else
            {
                var value = literal.Length == 0 && i == at + 1 ? "'" : literal.ToString();
                _parts.Add(_ => value);
                return i + 1;
            }
        }

        throw FirehoseException.InvalidArgument($"{setting} contains a timestamp pattern with an unended quote: {text}");
    }

    private void Add(string setting, char letter, int count)
    {
        if (!char.IsAsciiLetter(letter))
        {
            if (letter is '[' or ']' or '{' or '}' or '#')
                throw FirehoseException.InvalidArgument($"{setting} contains the reserved character '{letter}' in a timestamp pattern.");
            var literal = new string(letter, count);
            _parts.Add(_ => literal);
            return;
        }

        var invariant = CultureInfo.InvariantCulture;
        Func<DateTimeOffset, string>? part = (letter, count) switch
        {
            ('y' or 'u', 2) => t => (t.Year % 100).ToString("D2", invariant),
            ('y' or 'u', <= 10) => t => t.Year.ToString("D" + count, invariant),
            ('M' or 'L', 1 or 2) => Padded(t => t.Month),
            ('M' or 'L', 3) => t => t.ToString("MMM", invariant),
            ('M' or 'L', 4) => t => t.ToString("MMMM", invariant),
            ('M' or 'L', 5) => t => t.ToString("MMMM", invariant)[..1],
            ('d', 1 or 2) => Padded(t => t.Day),
            ('D', 1 or 2 or 3) => Padded(t => t.DayOfYear),
            ('Q' or 'q', 1 or 2) => Padded(t => ((t.Month - 1) / 3) + 1),
            ('Q' or 'q', 3) => t => $"Q{((t.Month - 1) / 3) + 1}",
            ('E', <= 3) => t => t.ToString("ddd", invariant),
            ('E', 4) => t => t.ToString("dddd", invariant),
            ('e', 1 or 2) => Padded(t => (int)t.DayOfWeek + 1),
            ('a', 1) => t => t.ToString("tt", invariant),
            ('H', 1 or 2) => Padded(t => t.Hour),
            ('k', 1 or 2) => Padded(t => t.Hour == 0 ? 24 : t.Hour),
            ('K', 1 or 2) => Padded(t => t.Hour % 12),
            ('h', 1 or 2) => Padded(t => t.Hour % 12 == 0 ? 12 : t.Hour % 12),
            ('m', 1 or 2) => Padded(t => t.Minute),
            ('s', 1 or 2) => Padded(t => t.Second),
            ('S', <= 9) => t => (t.Ticks % TimeSpan.TicksPerSecond * 100).ToString("D9", invariant)[..count],
            ('A', <= 10) => t => ((long)t.TimeOfDay.TotalMilliseconds).ToString("D" + count, invariant),
            ('n', <= 10) => t => (t.Ticks % TimeSpan.TicksPerSecond * 100).ToString("D" + count, invariant),
            ('N', <= 15) => t => (t.TimeOfDay.Ticks * 100).ToString("D" + count, invariant),
            ('X', 1) => t => t.Offset == TimeSpan.Zero ? "Z" : Offset(t, "", minutes: t.Offset.Minutes != 0),
            ('X', 2) => t => t.Offset == TimeSpan.Zero ? "Z" : Offset(t, ""),
            ('X', 3) => t => t.Offset == TimeSpan.Zero ? "Z" : Offset(t, ":"),
            ('x', 1) => t => Offset(t, "", minutes: t.Offset.Minutes != 0),
            ('x', 2) or ('Z', 1 or 2 or 3) => t => Offset(t, ""),
            ('x', 3) => t => Offset(t, ":"),
            _ => null,
        };
        _parts.Add(part ?? throw FirehoseException.InvalidArgument($"{setting} contains the timestamp pattern '{new string(letter, count)}', which is no date or time format supported here."));

        Func<DateTimeOffset, string> Padded(Func<DateTimeOffset, int> value) => t => value(t).ToString("D" + count, invariant);
    }

    private static string Offset(DateTimeOffset time, string separator, bool minutes = true)
    {
        var offset = time.Offset.Duration();
        var sign = time.Offset < TimeSpan.Zero ? '-' : '+';
        return minutes ? $"{sign}{offset.Hours:D2}{separator}{offset.Minutes:D2}" : $"{sign}{offset.Hours:D2}";
    }
}
