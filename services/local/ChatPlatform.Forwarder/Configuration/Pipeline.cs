using System.Net;
using System.Net.Sockets;
using ChatPlatform.Forwarder.Filters;
using ChatPlatform.Forwarder.Outputs;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace ChatPlatform.Forwarder.Configuration;

/// <summary>What the configuration file asks for, checked. The file is Fluent Bit's (https://docs.fluentbit.io/manual/administration/configuring-fluent-bit/yaml).</summary>
internal sealed record Pipeline(ServiceSettings Service, IReadOnlyList<ForwardInputSettings> Inputs, IReadOnlyList<Filter> Filters, IReadOnlyList<OutputSettings> Outputs)
{
    /// <exception cref="PipelineFileException">The file is no such configuration, or asks for what this forwarder does not do.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Pipeline Load(string path, Func<string, string?> variable) => Parse(File.ReadAllText(path), Path.GetFileName(path), variable);

    /// <inheritdoc cref="Load"/>
    public static Pipeline Parse(string yaml, string file, Func<string, string?> variable)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(yaml));
        }
        catch (YamlException error)
        {
            throw new PipelineFileException(file, error.Start.Line, "no valid YAML: " + error.Message);
        }

        if (stream.Documents.Count != 1)
            throw new PipelineFileException(file, 1, "must hold one YAML document.");

        var root = new FileSection(new PipelineSource(file, variable), "the file", stream.Documents[0].RootNode);
        var service = ServiceSettings.From(root.Section("service") ?? throw root.Wrong("'service' is missing; it must name storage.path"));
        var pipeline = root.Section("pipeline") ?? throw root.Wrong("'pipeline' is missing");
        root.RefuseTheRest();

        var inputs = pipeline.List("inputs", "input").Select(ForwardInputSettings.From).ToList();
        var filters = pipeline.List("filters", "filter").Select(Filter.From).ToList();
        var outputs = pipeline.List("outputs", "output").Select((section, i) => OutputSettings.From(section, i)).ToList();
        pipeline.RefuseTheRest();

        if (inputs.Count == 0)
            throw pipeline.Wrong("'inputs' is empty");
        if (outputs.Count == 0)
            throw pipeline.Wrong("'outputs' is empty: every record would be lost");
        if (outputs.GroupBy(o => o.Alias).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw pipeline.Wrong($"two outputs have the alias '{twice.Key}'");
        return new Pipeline(service, inputs, filters, outputs);
    }
}

/// <param name="StoragePath">The folder of the chunks.</param>
/// <param name="FlushToDisk">An acknowledgement waits for <c>fsync</c> (<c>storage.sync: full</c>).</param>
/// <param name="Flush">The pace of deliveries in a steady stream; what comes after a pause this long is delivered at once.</param>
/// <param name="Grace">How long deliveries under way may take when the process is stopped.</param>
/// <param name="RetryBase">The first pause after a failed delivery (<c>scheduler.base</c>).</param>
/// <param name="RetryCap">The longest pause (<c>scheduler.cap</c>).</param>
/// <param name="LogLevel">As the host's minimum level.</param>
internal sealed record ServiceSettings(string StoragePath, bool FlushToDisk, TimeSpan Flush, TimeSpan Grace, TimeSpan RetryBase, TimeSpan RetryCap, LogLevel LogLevel)
{
    public static ServiceSettings From(FileSection section)
    {
        // Chunks always carry checksums here.
        if (section.Choice("storage.checksum", "on", "on", "true", "yes", "off", "false", "no") is "off" or "false" or "no")
            throw section.Wrong("storage.checksum", "'storage.checksum' cannot be switched off in this forwarder");
        // These two bound how many chunks Fluent Bit holds in memory. Here an output holds one batch of at most 1 MiB, whatever the backlog.
        section.Size("storage.backlog.mem_limit", 5_000_000, 1_000_000);
        section.Number("storage.max_chunks_up", 128, 1, int.MaxValue);
        var settings = new ServiceSettings(
            Path.GetFullPath(section.RequiredText("storage.path")),
            section.Choice("storage.sync", "normal", "normal", "full") == "full",
            section.Seconds("flush", 1),
            section.Seconds("grace", 5),
            section.Seconds("scheduler.base", 1),
            section.Seconds("scheduler.cap", 30),
            section.Choice("log_level", "info", "off", "error", "warn", "info", "debug", "trace") switch
            {
                "off" => LogLevel.None,
                "error" => LogLevel.Error,
                "warn" => LogLevel.Warning,
                "debug" => LogLevel.Debug,
                "trace" => LogLevel.Trace,
                _ => LogLevel.Information,
            });
        if (settings.RetryBase <= TimeSpan.Zero || settings.RetryCap < settings.RetryBase)
            throw section.Wrong("scheduler.cap", "'scheduler.base' must be above 0 and at most 'scheduler.cap'");
        section.RefuseTheRest();
        return settings;
    }
}

/// <param name="Alias">Names the input in metrics; <c>alias</c>, or the plugin's name and its number in the file.</param>
/// <param name="Endpoint">Where to listen.</param>
/// <param name="Tag">Replaces the tag of every record; null keeps the sender's.</param>
/// <param name="TagPrefix">Put before the sender's tag.</param>
/// <param name="BufferMaxBytes">The largest message that is accepted, and the largest a compressed one may become.</param>
internal sealed record ForwardInputSettings(string Alias, IPEndPoint Endpoint, string? Tag, string TagPrefix, int BufferMaxBytes)
{
    public static ForwardInputSettings From(FileSection section, int number)
    {
        var name = section.RequiredText("name");
        section.Name($"input '{name}'");
        if (name != "forward")
            throw section.Wrong("name", "this forwarder has the input 'forward' only");
        var listen = section.Text("listen") ?? "0.0.0.0";
        if (!IPAddress.TryParse(listen, out var address))
            throw section.Invalid("listen", listen, "an IP address");
        var settings = new ForwardInputSettings(
            section.Alias(name, number),
            new IPEndPoint(address, section.Number("port", 24224, 1, 65_535)),
            section.Text("tag"),
            section.Text("tag_prefix") ?? "",
            (int)Math.Min(section.Size("buffer_max_size", 6_144_000, 32_000), 64_000_000));
        // The first read's buffer; ours grow from the pool as needed, up to buffer_max_size.
        section.Size("buffer_chunk_size", 1_024_000, 1_000);
        if (section.Choice("storage.type", "", "filesystem", "memory", "memrb") != "filesystem")
            throw section.Wrong("storage.type", "'storage.type' must be 'filesystem': what was acknowledged must survive this process");
        section.RefuseTheRest();
        return settings;
    }
}
