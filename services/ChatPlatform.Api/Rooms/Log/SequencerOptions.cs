using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Rooms.Log;

/// <summary>The section <c>Sequencer</c>.</summary>
internal sealed class SequencerOptions
{
    public const string Section = "Sequencer";

    /// <summary>How many changes of one room may wait; one more is refused with 503 <c>overloaded</c>.</summary>
    public int QueueLength { get; set; } = 512;

    /// <summary>The most changes of one commit. A change takes two items of a transaction's 100, the room row one.</summary>
    public int CommitSize { get; set; } = 49;

    /// <summary>How long a commit is tried before its callers are told 503 <c>unavailable</c>.</summary>
    public TimeSpan CommitDeadline { get; set; } = TimeSpan.FromSeconds(8);

    /// <summary>How long a committed change waits for room in a spool that became full meanwhile, before its caller is told 503 <c>unavailable</c>.</summary>
    public TimeSpan EventDeadline { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>After this long without a change a room's sequencer is dropped from memory.</summary>
    public TimeSpan IdleLimit { get; set; } = TimeSpan.FromSeconds(30);
}

internal sealed class SequencerOptionsValidator : IValidateOptions<SequencerOptions>
{
    public ValidateOptionsResult Validate(string? name, SequencerOptions options)
    {
        List<string> failures = [];
        if (options.QueueLength is < 1 or > 100_000)
            failures.Add($"Sequencer:QueueLength is {options.QueueLength}; it must be from 1 to 100000.");
        if (options.CommitSize is < 1 or > 49)
            failures.Add($"Sequencer:CommitSize is {options.CommitSize}; it must be from 1 to 49.");
        if (options.CommitDeadline < TimeSpan.FromMilliseconds(100) || options.CommitDeadline > TimeSpan.FromMinutes(1))
            failures.Add($"Sequencer:CommitDeadline is {options.CommitDeadline}; it must be from 00:00:00.1 to 00:01:00.");
        if (options.EventDeadline < TimeSpan.Zero || options.EventDeadline > TimeSpan.FromMinutes(1))
            failures.Add($"Sequencer:EventDeadline is {options.EventDeadline}; it must be from 00:00:00 to 00:01:00.");
        if (options.IdleLimit < TimeSpan.FromMilliseconds(100) || options.IdleLimit > TimeSpan.FromHours(1))
            failures.Add($"Sequencer:IdleLimit is {options.IdleLimit}; it must be from 00:00:00.1 to 01:00:00.");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
