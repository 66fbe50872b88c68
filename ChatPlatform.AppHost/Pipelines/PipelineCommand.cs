using System.Text.RegularExpressions;
using ChatPlatform.AppHost.Pipelines.CloudFormation;

namespace ChatPlatform.AppHost.Pipelines;

/// <summary>
/// <c>./dev pipeline NAME --stream-arn ARN [--firehose-arn ARN] [--bucket NAME] [--format cloudformation|serverless] [--output FILE]</c>: the pipeline of the
/// app model as a template for AWS, on standard output unless a file is named. Without <c>--firehose-arn</c> the template makes the delivery stream too.
/// </summary>
internal sealed partial class PipelineCommand
{
    private const string Word = "pipeline";
    private const string StreamArn = "--stream-arn", FirehoseArn = "--firehose-arn", BucketName = "--bucket", Format = "--format", Output = "--output";
    private const string Usage = $"{Word} NAME {StreamArn} ARN [{FirehoseArn} ARN] [{BucketName} NAME] [{Format} cloudformation|serverless] [{Output} FILE]";

    /// <summary>What <c>./dev package</c> writes, as the Serverless Framework finds it from the root of this repository.</summary>
    private const string Artifact = "artifacts/cdc-lambda.zip";

    private readonly Dictionary<string, string> _options = [];
    private readonly string _name;

    /// <exception cref="StartProblem">An option is unknown, missing or wrong.</exception>
    private PipelineCommand(string[] words)
    {
        if (words.Length == 0 || words[0].StartsWith('-'))
            throw new StartProblem($"name a pipeline: {Usage}");
        _name = words[0];
        for (var i = 1; i < words.Length; i += 2)
        {
            if (words[i] is not (StreamArn or FirehoseArn or BucketName or Format or Output))
                throw new StartProblem($"unknown option '{words[i]}': {Usage}");
            if (i + 1 == words.Length || words[i + 1].StartsWith("--", StringComparison.Ordinal))
                throw new StartProblem($"{words[i]} needs a value: {Usage}");
            if (!_options.TryAdd(words[i], words[i + 1]))
                throw new StartProblem($"{words[i]} is there twice.");
        }

        if (!_options.ContainsKey(StreamArn))
            throw new StartProblem($"{StreamArn} is missing; it must be the ARN of the table's stream (aws dynamodb describe-table: LatestStreamArn).");
        Check(StreamArn, DynamoDbStream(), "a stream's ARN, arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL");
        Check(FirehoseArn, DeliveryStream(), "a delivery stream's ARN, arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME");
        Check(BucketName, Bucket(), "a bucket's name: 3 to 63 of a-z, 0-9, '-' and '.'");
        Check(Format, Formats(), "cloudformation or serverless");
    }

    /// <summary>The AppHost then starts nothing, and holds every pipeline there is, the samples' too.</summary>
    public string[] HostArguments { get; } = ["--operation", "publish", "--Samples:Orders", "true"];

    /// <summary>The command that <paramref name="args"/> ask for; null when they ask for something else.</summary>
    /// <exception cref="StartProblem">An option is unknown, missing or wrong.</exception>
    public static PipelineCommand? Of(string[] args) => args is [Word, .. var rest] ? new PipelineCommand(rest) : null;

    /// <exception cref="StartProblem">No pipeline has the name, or the file cannot be written.</exception>
    public void Write(IEnumerable<CdcPipeline> pipelines)
    {
        var all = pipelines.ToList();
        var pipeline = all.Find(pipeline => pipeline.Name == _name) ??
            throw new StartProblem($"there is no pipeline '{_name}'; there are {string.Join(", ", all.Select(pipeline => pipeline.Name))}.");
        var text = Text(pipeline) + "\n";
        if (_options.GetValueOrDefault(Output) is not { } file)
        {
            Console.Out.Write(text);
            return;
        }

        try
        {
            File.WriteAllText(file, text);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartProblem($"{Output} {file} cannot be written: {error.Message}");
        }
    }

    private string Text(CdcPipeline pipeline)
    {
        var stream = _options[StreamArn];
        var template = new Template($"Change data capture: every write to the table {pipeline.Table.Name} as a line in the lake.");
        var bucket = template.AddParameter("LakeBucket", "The bucket of the lake, which exists", _options.GetValueOrDefault(BucketName, CdcPipeline.Bucket));
        var code = new CodeLocation(
            template.AddParameter("CodeBucket", "The bucket with the function's zip, in the stack's region"),
            template.AddParameter("CodeKey", "The key of the function's zip there", Path.GetFileName(Artifact)));
        template.AddCdcPipeline(pipeline, stream, _options.GetValueOrDefault(FirehoseArn), bucket, code);
        return Template.Text(_options.GetValueOrDefault(Format) == "serverless"
            ? ServerlessService.Of(template, pipeline.FunctionName, region: stream.Split(':')[3], Artifact)
            : template.ToJson());
    }

    private void Check(string option, Regex allowed, string what)
    {
        if (_options.GetValueOrDefault(option) is { } value && !allowed.IsMatch(value))
            throw new StartProblem($"{option} is '{value}'; it must be {what}.");
    }

    [GeneratedRegex(@"^arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[a-zA-Z0-9_.-]{3,255}/stream/[\dT:.-]+$")]
    private static partial Regex DynamoDbStream();

    [GeneratedRegex("^arn:aws[a-z-]*:firehose:[a-z0-9-]+:[0-9]{12}:deliverystream/[a-zA-Z0-9_.-]{1,64}$")]
    private static partial Regex DeliveryStream();

    [GeneratedRegex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    private static partial Regex Bucket();

    [GeneratedRegex("^(cloudformation|serverless)$")]
    private static partial Regex Formats();
}
