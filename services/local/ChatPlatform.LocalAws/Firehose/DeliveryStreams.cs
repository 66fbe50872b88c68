using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>
/// The delivery streams of the process. Thread-safe; <c>_change</c> is held while one is created or deleted.
/// On disk: <c>firehose/NAME/stream.json</c> and <c>firehose/NAME/NUMBER.records</c> (see <see cref="RecordSegment"/>).
/// </summary>
/// <param name="folder">Where the streams lie; null keeps everything in memory.</param>
internal sealed partial class DeliveryStreams(string? folder, DeliveryContext context) : IHostedService
{
    private const string SettingsFile = "stream.json";
    private readonly ConcurrentDictionary<string, DeliveryStream> _streams = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _change = new(1);

    public TimeProvider Time => context.Time;

    /// <summary>Names in order.</summary>
    public IReadOnlyList<string> Names => [.. _streams.Keys.Order(StringComparer.Ordinal)];

    public string ArnOf(string name) => context.ArnOf(name);

    /// <summary>Whether records can be transformed: a Lambda endpoint is configured.</summary>
    public bool HasLambda => context.Processing.HasLambda;

    /// <exception cref="FirehoseException"><c>ResourceNotFoundException</c>.</exception>
    public DeliveryStream Get(string name) => _streams.TryGetValue(name, out var stream) ? stream : throw FirehoseException.NotFound(name);

    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>, <c>ResourceInUseException</c>.</exception>
    public async Task CreateAsync(string name, ExtendedS3Destination destination, IReadOnlyDictionary<string, string> tags, CancellationToken cancellationToken)
    {
        if (!StreamName().IsMatch(name))
            throw FirehoseException.InvalidArgument($"DeliveryStreamName '{name}' must match [a-zA-Z0-9_.-]+ and have 1 to 64 characters.");
        await _change.WaitAsync(cancellationToken);
        try
        {
            if (_streams.ContainsKey(name))
                throw FirehoseException.InUse($"Firehose {name} under accountId {DeliveryContext.AccountId} already exists");
            var settings = new DeliveryStreamSettings(name, 1, context.Time.GetUtcNow(), null, destination) { Tags = new(tags.ToDictionary(), StringComparer.Ordinal) };
            Save(settings);
            Add(settings);
        }
        finally
        {
            _change.Release();
        }
    }

    /// <summary>Deletes a stream with what it buffers.</summary>
    /// <exception cref="FirehoseException"><c>ResourceNotFoundException</c>.</exception>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            var stream = Get(name);
            stream.MarkDeleted();
            await stream.StopAsync();
            if (FolderOf(name) is { } own)
            {
                // Without its settings a folder is no stream any more, whatever a crash leaves of the rest.
                File.Delete(Path.Combine(own, SettingsFile));
                Directory.Delete(own, recursive: true);
            }

            _streams.TryRemove(name, out _);
        }
        finally
        {
            _change.Release();
        }
    }

    /// <summary>Changes a stream's destination if its version is still <paramref name="version"/>.</summary>
    /// <exception cref="FirehoseException"><c>ResourceNotFoundException</c>, <c>ConcurrentModificationException</c>.</exception>
    public void Update(string name, string version, Func<ExtendedS3Destination, ExtendedS3Destination> change) => Get(name).Change(
        current => current.Version.ToString(System.Globalization.CultureInfo.InvariantCulture) == version
            ? current with { Version = current.Version + 1, UpdatedAt = context.Time.GetUtcNow(), Destination = change(current.Destination) }
            : throw new FirehoseException(
                "ConcurrentModificationException", $"Provided version id {version} is not the current version {current.Version} of Firehose {name}."),
        Save);

    /// <summary>Changes a stream's tags; its version stays.</summary>
    /// <exception cref="FirehoseException"><c>ResourceNotFoundException</c>, and what <paramref name="change"/> throws.</exception>
    public void Tag(string name, Action<SortedDictionary<string, string>> change) => Get(name).Change(
        current =>
        {
            var tags = new SortedDictionary<string, string>(current.Tags, StringComparer.Ordinal);
            change(tags);
            return current with { Tags = tags };
        },
        Save);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (folder is not null)
        {
            foreach (var own in Directory.GetDirectories(folder))
            {
                var file = Path.Combine(own, SettingsFile);
                if (File.Exists(file))
                    Add(JsonSerializer.Deserialize(File.ReadAllBytes(file), FirehoseJson.Default.DeliveryStreamSettings)!);
                else
                    Directory.Delete(own, recursive: true);
            }
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.WhenAll(_streams.Values.Select(s => s.StopAsync()));

    private void Add(DeliveryStreamSettings settings)
    {
        var stream = _streams[settings.Name] = new DeliveryStream(settings, FolderOf(settings.Name), context);
        stream.Start();
    }

    private void Save(DeliveryStreamSettings settings)
    {
        if (FolderOf(settings.Name) is not { } own)
            return;
        Directory.CreateDirectory(own);
        var temporary = Path.Combine(own, SettingsFile + ".new");
        using (var file = new FileStream(temporary, FileMode.Create))
        {
            JsonSerializer.Serialize(file, settings, FirehoseJson.Default.DeliveryStreamSettings);
            file.Flush(context.Fsync);
        }

        File.Move(temporary, Path.Combine(own, SettingsFile), overwrite: true);
    }

    // "." and ".." are valid stream names and no folders of their own.
    private string? FolderOf(string name) => folder is null ? null : Path.Combine(folder, "stream-" + name);

    [GeneratedRegex(@"\A[a-zA-Z0-9_.-]{1,64}\z")]
    private static partial Regex StreamName();
}
