using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ChatPlatform.LocalAws.Firehose.Processing;

/// <summary>The Lambda processor's parameters.</summary>
/// <param name="Function">The function's ARN.</param>
/// <param name="Retries">0 to 300, 3 by default: for invocations that fail, not for records that the function fails.</param>
/// <param name="BatchBytes">0.2 to 3 MB of records an invocation, 1 by default.</param>
internal sealed record LambdaProcessor(string Function, int Retries, long BatchBytes);

/// <summary>How records are taken apart: concatenated JSON, or pieces with <paramref name="Delimiter"/> between.</summary>
/// <param name="Delimiter">Null for JSON.</param>
internal sealed record DeAggregation(byte[]? Delimiter);

/// <summary>
/// A <c>ProcessingConfiguration</c> (https://docs.aws.amazon.com/firehose/latest/APIReference/API_ProcessorParameter.html). Whatever the order in the request, records are taken apart,
/// then transformed, then their keys extracted, then delimited. Immutable.
/// </summary>
internal sealed partial class ProcessorChain
{
    public static readonly ProcessorChain None = new();

    public DeAggregation? DeAggregation { get; private set; }

    public LambdaProcessor? Lambda { get; private set; }

    public MetadataQuery? Metadata { get; private set; }

    /// <summary>What is appended to every record; null for nothing.</summary>
    public byte[]? Delimiter { get; private set; }

    public bool IsEmpty => DeAggregation is null && Lambda is null && Metadata is null && Delimiter is null;

    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>, naming what is wrong or not carried out.</exception>
    public static ProcessorChain Read(JsonInput input)
    {
        input.Allow("Enabled", "Processors");
        if (input.Flag("Enabled") != true)
            return None;
        var chain = new ProcessorChain();
        foreach (var processor in input.List("Processors") ?? [])
        {
            processor.Allow("Type", "Parameters");
            var type = processor.RequiredText("Type");
            var parameters = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var parameter in processor.List("Parameters") ?? [])
            {
                parameter.Allow("ParameterName", "ParameterValue");
                if (!parameters.TryAdd(parameter.RequiredText("ParameterName"), parameter.RequiredText("ParameterValue")))
                    throw FirehoseException.InvalidArgument($"{processor.Path} of type {type} has the parameter {parameter.Text("ParameterName")} twice.");
            }

            chain.Add(type, parameters);
            if (parameters.Count > 0)
                throw FirehoseException.InvalidArgument($"{parameters.Keys.First()} is no parameter of a processor of type {type}.");
        }

        return chain;
    }

    // Takes out of the parameters what the processor knows.
    private void Add(string type, Dictionary<string, string> parameters)
    {
        switch (type)
        {
            case "RecordDeAggregation":
                Once(DeAggregation);
                DeAggregation = (parameters.Remove("SubRecordType", out var kind) ? kind : "") switch
                {
                    "JSON" => new DeAggregation(null),
                    "DELIMITED" when parameters.Remove("Delimiter", out var base64) => new DeAggregation(FromBase64(base64)),
                    "DELIMITED" => throw FirehoseException.InvalidArgument("RecordDeAggregation with SubRecordType DELIMITED needs Delimiter, in base64."),
                    var other => throw FirehoseException.InvalidArgument($"SubRecordType is '{other}'; it must be JSON or DELIMITED."),
                };
                break;
            case "Lambda":
                Once(Lambda);
                var function = parameters.Remove("LambdaArn", out var arn) ? arn : throw FirehoseException.InvalidArgument("A processor of type Lambda needs LambdaArn.");
                if (!FunctionArn().IsMatch(function))
                    throw FirehoseException.InvalidArgument($"LambdaArn '{function}' is not the ARN of a function.");
                parameters.Remove("RoleArn");
                Number(parameters, "BufferIntervalInSeconds", 60, 0, 900);
                Lambda = new LambdaProcessor(
                    function, (int)Number(parameters, "NumberOfRetries", 3, 0, 300), (long)(Number(parameters, "BufferSizeInMBs", 1, 0.2, 3) * 1024 * 1024));
                break;
            case "MetadataExtraction":
                Once(Metadata);
                if (!parameters.Remove("JsonParsingEngine", out var engine) || engine != "JQ-1.6")
                    throw FirehoseException.InvalidArgument($"JsonParsingEngine is '{engine}'; it must be JQ-1.6.");
                Metadata = MetadataQuery.Parse(
                    parameters.Remove("MetadataExtractionQuery", out var query) ? query : throw FirehoseException.InvalidArgument("A processor of type MetadataExtraction needs MetadataExtractionQuery."));
                break;
            case "AppendDelimiterToRecord":
                Once(Delimiter);
                // The console and CloudFormation send a backslash and an n for a newline.
                Delimiter = Encoding.UTF8.GetBytes(parameters.Remove("Delimiter", out var text) ? text.Replace("\\n", "\n", StringComparison.Ordinal) : "\n");
                break;
            case "Decompression" or "CloudWatchLogProcessing":
                throw FirehoseException.NotHonoured($"A processor of type {type}");
            default:
                throw FirehoseException.InvalidArgument(
                    $"Processor type '{type}' is unknown; there are RecordDeAggregation, Decompression, CloudWatchLogProcessing, Lambda, MetadataExtraction, AppendDelimiterToRecord.");
        }

        void Once(object? own)
        {
            if (own is not null)
                throw FirehoseException.InvalidArgument($"A processor of type {type} can be there once only.");
        }
    }

    private static double Number(Dictionary<string, string> parameters, string name, double otherwise, double least, double most)
    {
        if (!parameters.Remove(name, out var text))
            return otherwise;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw FirehoseException.InvalidArgument(FormattableString.Invariant($"{name} is '{text}'; it must be between {least} and {most}."));
    }

    private static byte[] FromBase64(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var length) && length > 0
            ? bytes[..length]
            : throw FirehoseException.InvalidArgument($"Delimiter '{text}' must be base64 of at least one byte.");
    }

    [GeneratedRegex(@"\Aarn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[a-zA-Z0-9_-]{1,64}(:[a-zA-Z0-9$_-]+)?\z")]
    private static partial Regex FunctionArn();
}
