using System.Net.Sockets;
using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Delivery;
using ChatPlatform.Forwarder.Forward;
using ChatPlatform.Forwarder.Outputs;
using ChatPlatform.Spool;

namespace ChatPlatform.Forwarder;

/// <summary>The process cannot start; the message is for the person who started it.</summary>
internal sealed class ForwarderStartException(string message) : Exception(message);

/// <summary>Builds the pipeline of the configuration file into the host: spool, outputs, inputs.</summary>
internal static class ForwarderHost
{
    /// <exception cref="ForwarderStartException">The argument is missing, or the file cannot be read.</exception>
    /// <exception cref="PipelineFileException">The file asks for what cannot be done.</exception>
    public static Pipeline LoadPipeline(string[] args)
    {
        var at = Array.FindIndex(args, a => a is "--config" or "-c");
        if (at < 0 || at + 1 >= args.Length)
            throw new ForwarderStartException("give the configuration file: --config fluent-bit.yaml");
        try
        {
            return Pipeline.Load(args[at + 1], Environment.GetEnvironmentVariable);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ForwarderStartException(error.Message);
        }
    }

    /// <exception cref="ForwarderStartException">A port is taken, or the storage path is in use or cannot be written.</exception>
    public static void AddPipeline(this WebApplicationBuilder builder, Pipeline pipeline)
    {
        var services = builder.Services;
        builder.Logging.SetMinimumLevel(pipeline.Service.LogLevel);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<ForwarderMetrics>();
        services.AddSingleton(provider => new DeadLetters(
            pipeline.Service.StoragePath, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ForwarderMetrics>(), provider.GetRequiredService<ILogger<DeadLetters>>()));

        // Both are taken before the host starts, so that a refusal is one line.
        var listeners = pipeline.Inputs.Select(Listen).ToList();
        var spool = OpenSpool(pipeline);
        services.AddSingleton(_ => spool);
        services.AddSingleton(pipeline.Filters);
        services.AddSingleton<IReadOnlyList<OutputPump>>(provider => [.. pipeline.Outputs.Select(settings =>
        {
            var pump = ActivatorUtilities.CreateInstance<OutputPump>(provider, CreateOutput(settings, provider), settings, spool.OpenCursor(settings.Alias), pipeline.Service);
            provider.GetRequiredService<ForwarderMetrics>().Observe(pump);
            return pump;
        })]);
        // Hosted services stop in the reverse order of their start: first nothing more comes in, then deliveries end.
        for (var i = 0; i < pipeline.Outputs.Count; i++)
        {
            var index = i;
            services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<IReadOnlyList<OutputPump>>()[index]);
        }

        foreach (var (settings, listener) in pipeline.Inputs.Zip(listeners))
            services.AddSingleton<IHostedService>(provider => ActivatorUtilities.CreateInstance<ForwardServer>(provider, settings, listener, spool));

        var limit = StallLimit(builder.Configuration);
        services.AddHealthChecks().Add(new("delivery", provider => new DeliveryHealth(provider.GetRequiredService<IReadOnlyList<OutputPump>>(), limit), null, null));
    }

    private static TimeSpan StallLimit(IConfiguration configuration)
    {
        try
        {
            return DeliveryHealth.Limit(configuration);
        }
        catch (FormatException error)
        {
            throw new ForwarderStartException(error.Message);
        }
    }

    private static TcpListener Listen(ForwardInputSettings settings)
    {
        var listener = new TcpListener(settings.Endpoint);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException error)
        {
            throw new ForwarderStartException($"cannot listen on {settings.Endpoint}: {error.Message}");
        }
    }

    private static SpoolLog OpenSpool(Pipeline pipeline)
    {
        var options = new SpoolOptions
        {
            LimitBytes = pipeline.Outputs.Min(o => o.TotalLimitBytes),
            WhenFull = WhenSpoolIsFull.Wait,
            FlushToDisk = pipeline.Service.FlushToDisk,
        };
        try
        {
            using var logging = LoggerFactory.Create(logging => logging.AddConsole());
            return SpoolLog.Open(Path.Combine(pipeline.Service.StoragePath, "chunks"), options, TimeProvider.System, logging.CreateLogger<SpoolLog>());
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ForwarderStartException($"storage.path {pipeline.Service.StoragePath} cannot be used (does another forwarder run on it?): {error.Message}");
        }
    }

    private static IOutput CreateOutput(OutputSettings settings, IServiceProvider provider) => settings switch
    {
        KafkaOutputSettings kafka => new KafkaOutput(kafka, provider.GetRequiredService<ILogger<KafkaOutput>>()),
        FileOutputSettings file => new FileOutput(file),
        S3OutputSettings s3 => new S3Output(s3),
        FirehoseOutputSettings firehose => new FirehoseOutput(firehose),
        StdoutOutputSettings stdout => new StdoutOutput(stdout),
        NullOutputSettings => new NullOutput(),
        _ => throw new InvalidOperationException($"No output for {settings.GetType().Name}."),
    };
}
