using System.IO.Compression;
using System.Text.RegularExpressions;
using Amazon.S3;
using Amazon.S3.Model;
using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Delivery;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>
/// https://docs.fluentbit.io/manual/pipeline/outputs/s3 as far as PutObject goes. What an object is made of waits in this forwarder's own chunks until the upload is answered, so that there
/// is no <c>store_dir</c>.
/// </summary>
/// <param name="KeyFormat"><c>s3_key_format</c>, with <c>$TAG</c>, <c>$TAG[n]</c>, <c>$UUID</c> and time conversions.</param>
/// <param name="TotalFileBytes"><c>total_file_size</c>: bytes of chunks that make an object.</param>
internal sealed partial record S3OutputSettings(
    string Alias,
    TagPattern Match,
    long TotalLimitBytes,
    AwsEndpoint Aws,
    string Bucket,
    string KeyFormat,
    string TagDelimiters,
    bool StaticFilePath,
    int TotalFileBytes,
    TimeSpan UploadTimeout,
    bool Gzip,
    string? ContentType,
    string? CannedAcl,
    string? StorageClass,
    JsonLine Line) : OutputSettings(Alias, Match, TotalLimitBytes)
{
    public override int BatchBytes => TotalFileBytes;

    public override TimeSpan FillTime => UploadTimeout;

    public static S3OutputSettings From(FileSection section, string alias, TagPattern match, long limit)
    {
        if (!section.Flag("use_put_object", false))
            throw section.Wrong("use_put_object", "'use_put_object' must be on: this forwarder makes an object in one request");
        if (!section.Flag("preserve_data_ordering", true))
            throw section.Wrong("preserve_data_ordering", "'preserve_data_ordering' cannot be switched off in this forwarder");
        var size = section.Size("total_file_size", 50_000_000, 1_000_000);
        // An object is built in memory.
        if (size > 50_000_000)
            throw section.Invalid("total_file_size", section.Text("total_file_size")!, "from 1M to 50M");
        if (size > limit / 2)
            throw section.Wrong("total_file_size", "'total_file_size' must be at most half of 'storage.total_limit_size', or the inputs would wait for an object to fill that cannot fill");
        var format = section.Text("s3_key_format") ?? "/fluent-bit-logs/$TAG/%Y/%m/%d/%H/%M/%S";
        if (TimeFormat.Unknown(format) is { } unknown)
            throw section.Invalid("s3_key_format", format, $"without {unknown}, which is no time conversion here");
        if (format.Contains("$INDEX"))
            throw section.Invalid("s3_key_format", format, "without $INDEX");
        return new S3OutputSettings(
            alias,
            match,
            limit,
            AwsEndpoint.From(section),
            section.RequiredText("bucket"),
            format,
            section.Text("s3_key_format_tag_delimiters") ?? ".",
            section.Flag("static_file_path", false),
            (int)size,
            section.Seconds("upload_timeout", 600),
            section.Text("compression") is not null && section.Choice("compression", "", "gzip") == "gzip",
            section.Text("content_type"),
            section.Text("canned_acl"),
            section.Text("storage_class"),
            JsonLine.From(section, RecordTime.Iso8601, withLogKey: true));
    }

    /// <param name="tag">The tag of all its records.</param>
    /// <param name="first">The time of the first one.</param>
    /// <param name="unique">Put where <c>$UUID</c> stands; appended when the format has none and the path is not static.</param>
    public string Key(string tag, DateTimeOffset first, string unique)
    {
        var parts = tag.Split(TagDelimiters.ToCharArray());
        // The time first: what a tag holds must not be read as a conversion.
        var key = TagPart().Replace(TimeFormat.Apply(KeyFormat, first), part =>
            !part.Groups["n"].Success ? tag : int.TryParse(part.Groups["n"].Value, out var n) && n < parts.Length ? parts[n] : "");
        key = key.Contains("$UUID") ? key.Replace("$UUID", unique) : StaticFilePath ? key : $"{key}-object{unique}";
        return key.TrimStart('/');
    }

    [GeneratedRegex(@"\$TAG(\[(?<n>[0-9]{1,3})\])?")]
    private static partial Regex TagPart();
}

/// <summary>Uploads one object a tag of a delivery. A tag whose upload was answered is done with, whatever becomes of the others.</summary>
internal sealed class S3Output : IOutput
{
    private readonly S3OutputSettings _settings;
    private readonly AmazonS3Client _client;

    public S3Output(S3OutputSettings settings)
    {
        _settings = settings;
        var config = new AmazonS3Config { ForcePathStyle = settings.Aws.Endpoint is not null };
        settings.Aws.Apply(config);
        _client = new AmazonS3Client(config);
    }

    public async Task<IReadOnlyList<Record>> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        DeliveryException? failure = null;
        var failed = new HashSet<string>();
        foreach (var tag in records.GroupBy(record => record.Tag))
        {
            try
            {
                await UploadAsync(tag.Key, [.. tag], deadLetters, cancellationToken);
            }
            catch (Exception error) when (AwsEndpoint.IsRefusal(error, cancellationToken))
            {
                failure = new DeliveryException($"s3://{_settings.Bucket}: {error.Message}", error);
                failed.Add(tag.Key);
            }
        }

        var left = records.Where(record => failed.Contains(record.Tag)).ToList();
        return failure is null || left.Count < records.Count ? left : throw failure;
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task UploadAsync(string tag, List<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        using (var gzip = _settings.Gzip ? new GZipStream(body, CompressionLevel.Fastest, leaveOpen: true) : null)
        {
            Stream target = gzip is null ? body : gzip;
            foreach (var record in records)
            {
                if (_settings.Line.Write(record) is { } line)
                {
                    target.Write(line);
                    target.WriteByte((byte)'\n');
                }
                else
                {
                    await deadLetters.AddAsync(_settings.Alias, record, $"it has no text field '{_settings.Line.LogKey}'", cancellationToken);
                }
            }
        }

        if (body.Length == 0)
            return;
        body.Position = 0;
        var request = new PutObjectRequest
        {
            BucketName = _settings.Bucket,
            Key = _settings.Key(tag, records[0].Time, Guid.NewGuid().ToString("N")[..8]),
            InputStream = body,
            AutoCloseStream = false,
            ContentType = _settings.ContentType ?? "application/octet-stream",
            CannedACL = _settings.CannedAcl is { } acl ? new S3CannedACL(acl) : null,
            StorageClass = _settings.StorageClass is { } storage ? new S3StorageClass(storage) : null,
        };
        if (_settings.Gzip)
            request.Headers.ContentEncoding = "gzip";
        await _client.PutObjectAsync(request, cancellationToken);
    }
}
