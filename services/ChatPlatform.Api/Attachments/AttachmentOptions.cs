using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Attachments;

/// <summary>The section <c>Attachments</c>.</summary>
internal sealed class AttachmentOptions
{
    public const string Section = "Attachments";

    /// <summary>The bucket that clients upload to.</summary>
    public string Bucket { get; set; } = "chat-attachments";

    /// <summary>The largest image, in bytes.</summary>
    public long MaxImageBytes { get; set; } = 10 * 1024 * 1024;

    /// <summary>The largest file of any other type, in bytes.</summary>
    public long MaxFileBytes { get; set; } = 50 * 1024 * 1024;

    /// <summary>How long an upload URL is good for.</summary>
    public TimeSpan UploadLifetime { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a URL to read is good for; who needs it later reads the message again.</summary>
    public TimeSpan ReadLifetime { get; set; } = TimeSpan.FromHours(1);
}

internal sealed class AttachmentOptionsValidator : IValidateOptions<AttachmentOptions>
{
    // One PUT takes 5 GB at most (https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html).
    private const long MaxPut = 5L * 1024 * 1024 * 1024;

    // A Signature V4 URL is good for a week at most (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    public ValidateOptionsResult Validate(string? name, AttachmentOptions options)
    {
        List<string> failures = [];
        if (options.Bucket is not { Length: >= 3 and <= 63 } || options.Bucket.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('-' or '.')))
            failures.Add($"Attachments:Bucket is '{options.Bucket}'; it must be a bucket's name: 3 to 63 of a-z, 0-9, '-' and '.'.");
        CheckSize(nameof(options.MaxImageBytes), options.MaxImageBytes);
        CheckSize(nameof(options.MaxFileBytes), options.MaxFileBytes);
        CheckLifetime(nameof(options.UploadLifetime), options.UploadLifetime);
        CheckLifetime(nameof(options.ReadLifetime), options.ReadLifetime);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void CheckSize(string key, long value)
        {
            if (value is < 1 or > MaxPut)
                failures.Add($"Attachments:{key} is {value}; it must be from 1 to {MaxPut}.");
        }

        void CheckLifetime(string key, TimeSpan value)
        {
            if (value < TimeSpan.FromSeconds(1) || value > Longest)
                failures.Add($"Attachments:{key} is {value}; it must be from 00:00:01 to {Longest}.");
        }
    }
}
