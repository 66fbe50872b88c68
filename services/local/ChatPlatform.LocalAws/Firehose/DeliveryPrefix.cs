using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>
/// A <c>Prefix</c> or <c>ErrorOutputPrefix</c> with its <c>!{namespace:value}</c> expressions (https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html). Immutable.
/// </summary>
internal sealed class DeliveryPrefix
{
    private const int MaxEvaluatedLength = 512;
    private const int MaxLength = 1_024;
    private const string RandomLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
    private const int RandomLength = 11;
    private static readonly DateTimeOffset Example = new(2026, 12, 31, 23, 59, 59, TimeSpan.Zero);
    private readonly List<Func<Evaluation, string>> _parts = [];
    private readonly HashSet<string> _partitionKeys = new(StringComparer.Ordinal);

    private DeliveryPrefix(string text) => Text = text;

    /// <summary>As given.</summary>
    public string Text { get; }

    public bool HasExpressions { get; private set; }

    private bool HasErrorOutputType { get; set; }

    /// <summary>The dynamic partitioning keys in it, as <c>partitionKeyFromQuery:NAME</c> or <c>partitionKeyFromLambda:NAME</c>.</summary>
    public IReadOnlyCollection<string> PartitionKeys => _partitionKeys;


    /// <summary>Reads both prefixes of a destination and checks them against each other.</summary>
    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>.</exception>
    public static (DeliveryPrefix Data, DeliveryPrefix Error) Parse(string? prefix, string? errorOutputPrefix)
    {
        var data = Read(prefix ?? "", "Prefix");
        var error = Read(errorOutputPrefix ?? "", "ErrorOutputPrefix");
        if (data.HasErrorOutputType)
            throw FirehoseException.InvalidArgument("Prefix cannot contain !{firehose:error-output-type}");
        if (data.HasExpressions && string.IsNullOrEmpty(errorOutputPrefix))
            throw FirehoseException.InvalidArgument("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions.");
        if (error.HasExpressions && !error.HasErrorOutputType)
            throw FirehoseException.InvalidArgument("ErrorOutputPrefix must contain at least one instance of !{firehose:error-output-type} when it contains expressions.");
        if (error.PartitionKeys.Count > 0)
            throw FirehoseException.InvalidArgument("ErrorOutputPrefix cannot contain partition keys.");
        foreach (var (parsed, name) in ((DeliveryPrefix, string)[])[(data, "Prefix"), (error, "ErrorOutputPrefix")])
        {
            if (parsed.Evaluate(Example, TimeZoneInfo.Utc, "format-conversion-failed", parsed._partitionKeys.ToDictionary(k => k, _ => "x")).Length > MaxEvaluatedLength)
                throw FirehoseException.InvalidArgument($"{name} must not be longer than {MaxEvaluatedLength} characters once evaluated.");
        }

        return (data, error);
    }

    /// <summary>
    /// The text for one object. Without expressions the default <c>yyyy/MM/dd/HH/</c> follows; all time expressions see the same instant.
    /// </summary>
    /// <param name="arrival">When the oldest record of the object arrived.</param>
    /// <param name="errorOutputType">What failed, for an error prefix; null for data.</param>
    /// <param name="partitionKeys">A value for each of <see cref="PartitionKeys"/>.</param>
    public string Evaluate(DateTimeOffset arrival, TimeZoneInfo zone, string? errorOutputType = null, IReadOnlyDictionary<string, string>? partitionKeys = null)
    {
        var evaluation = new Evaluation(TimeZoneInfo.ConvertTime(arrival, zone), errorOutputType ?? "", partitionKeys);
        var result = new StringBuilder();
        foreach (var part in _parts)
            result.Append(part(evaluation));
        if (!HasExpressions)
            result.Append(errorOutputType).Append(evaluation.Time.ToString("yyyy'/'MM'/'dd'/'HH'/'", CultureInfo.InvariantCulture));
        return result.ToString();
    }

    private static DeliveryPrefix Read(string text, string name)
    {
        if (text.Length > MaxLength)
            throw FirehoseException.InvalidArgument($"{name} must have length less than or equal to {MaxLength}.");
        var result = new DeliveryPrefix(text);
        var at = 0;
        while (at < text.Length)
        {
            var start = text.IndexOf("!{", at, StringComparison.Ordinal);
            if (start < 0)
                start = text.Length;
            if (start > at)
            {
                var literal = text[at..start];
                result._parts.Add(_ => literal);
            }

            if (start == text.Length)
                break;
            var end = text.IndexOf('}', start);
            var colon = text.IndexOf(':', start);
            if (end < 0 || colon < 0 || colon > end)
                throw FirehoseException.InvalidArgument($"{name} contains '!{{' that begins no expression of the form !{{namespace:value}}.");
            result.HasExpressions = true;
            result.Add(name, text[(start + 2)..colon], text[(colon + 1)..end]);
            at = end + 1;
        }

        return result;
    }

    private void Add(string name, string space, string value)
    {
        switch (space, value)
        {
            case ("timestamp", _):
                var pattern = TimestampPattern.Parse(name, value);
                _parts.Add(e => pattern.Format(e.Time));
                break;
            case ("firehose", "random-string"):
                _parts.Add(_ => RandomNumberGenerator.GetString(RandomLetters, RandomLength));
                break;
            case ("firehose", "error-output-type"):
                HasErrorOutputType = true;
                _parts.Add(e => e.ErrorOutputType);
                break;
            case ("partitionKeyFromQuery" or "partitionKeyFromLambda", _):
                if (value.Length == 0)
                    throw FirehoseException.InvalidArgument($"{name} contains !{{{space}:}} without a key.");
                var key = $"{space}:{value}";
                _partitionKeys.Add(key);
                _parts.Add(e => e.PartitionKeys![key]);
                break;
            default:
                throw FirehoseException.InvalidArgument($"{name} contains the unknown expression !{{{space}:{value}}}.");
        }
    }

    private readonly record struct Evaluation(DateTimeOffset Time, string ErrorOutputType, IReadOnlyDictionary<string, string>? PartitionKeys);
}
