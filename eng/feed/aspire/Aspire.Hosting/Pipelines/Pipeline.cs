using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Publishing
{
    /// <summary>What a resource's manifest callback is given; no manifest is written here, the type only lets a resource be left out.</summary>
    public sealed class ManifestPublishingContext
    {
        internal ManifestPublishingContext(DistributedApplicationExecutionContext executionContext) => ExecutionContext = executionContext;

        public DistributedApplicationExecutionContext ExecutionContext { get; }
    }
}

namespace Aspire.Hosting.Pipelines
{
    public static class WellKnownPipelineSteps
    {
        public const string ProcessParameters = "process-parameters";
        public const string PublishPrereq = "publish-prereq";
        public const string Publish = "publish";
        public const string BuildPrereq = "build-prereq";
        public const string Build = "build";
        public const string DeployPrereq = "deploy-prereq";
        public const string Deploy = "deploy";
    }

    public class PipelineOptions
    {
        public string? OutputPath { get; set; }

        public string? Step { get; set; }

        public string? LogLevel { get; set; }
    }

    public class PipelineStep
    {
        public required string Name { get; init; }

        public required Func<PipelineStepContext, Task> Action { get; init; }

        public string? Description { get; init; }

        public List<string> DependsOnSteps { get; init; } = [];

        public List<string> RequiredBySteps { get; init; } = [];

        public List<string> Tags { get; init; } = [];

        public IResource? Resource { get; set; }

        public void DependsOn(string stepName) => DependsOnSteps.Add(stepName);

        public void DependsOn(PipelineStep step) => DependsOnSteps.Add(step.Name);

        public void RequiredBy(string stepName) => RequiredBySteps.Add(stepName);

        public void RequiredBy(PipelineStep step) => RequiredBySteps.Add(step.Name);
    }

    public sealed class PipelineContext(
        DistributedApplicationModel model,
        DistributedApplicationExecutionContext executionContext,
        IServiceProvider serviceProvider,
        ILogger logger,
        CancellationToken cancellationToken)
    {
        public DistributedApplicationModel Model { get; } = model;

        public DistributedApplicationExecutionContext ExecutionContext { get; } = executionContext;

        public IServiceProvider Services { get; } = serviceProvider;

        public ILogger Logger { get; } = logger;

        public CancellationToken CancellationToken { get; set; } = cancellationToken;
    }

    public sealed class PipelineStepContext
    {
        public required PipelineContext PipelineContext { get; init; }

        public DistributedApplicationModel Model => PipelineContext.Model;

        public DistributedApplicationExecutionContext ExecutionContext => PipelineContext.ExecutionContext;

        public IServiceProvider Services => PipelineContext.Services;

        public ILogger Logger => PipelineContext.Logger;

        public CancellationToken CancellationToken => PipelineContext.CancellationToken;
    }

    public interface IDistributedApplicationPipeline
    {
        /// <param name="dependsOn">A step's name or several: they end before this one begins.</param>
        /// <param name="requiredBy">A step's name or several: this one ends before they begin.</param>
        void AddStep(string name, Func<PipelineStepContext, Task> action, object? dependsOn = null, object? requiredBy = null);

        void AddStep(PipelineStep step);

        /// <summary>Runs the step named by the option and all it depends on.</summary>
        Task ExecuteAsync(PipelineContext context);
    }

    public interface IPipelineOutputService
    {
        /// <summary>The absolute path given by --output-path; without it the folder aspire-output of the AppHost. Not created.</summary>
        string GetOutputDirectory();

        string GetOutputDirectory(IResource resource);

        string GetTempDirectory();
    }

    internal sealed class PipelineOutputService(IOptions<PipelineOptions> options, IConfiguration configuration) : IPipelineOutputService
    {
        private readonly Lazy<string> _temporary = new(() => Directory.CreateTempSubdirectory("aspire-pipelines").FullName);

        public string GetOutputDirectory() => options.Value.OutputPath is { Length: > 0 } path
            ? Path.GetFullPath(path)
            : Path.Combine(configuration["AppHost:Directory"] ?? Environment.CurrentDirectory, "aspire-output");

        public string GetOutputDirectory(IResource resource) => Path.Combine(GetOutputDirectory(), resource.Name);

        public string GetTempDirectory() => _temporary.Value;
    }

    internal sealed class DistributedApplicationPipeline : IDistributedApplicationPipeline
    {
        private readonly List<PipelineStep> _steps = [];

        public DistributedApplicationPipeline()
        {
            AddStep(WellKnownPipelineSteps.ProcessParameters, ProcessParametersAsync);
            AddStep(WellKnownPipelineSteps.PublishPrereq, Nothing, dependsOn: WellKnownPipelineSteps.ProcessParameters);
            AddStep(WellKnownPipelineSteps.Publish, Nothing, dependsOn: WellKnownPipelineSteps.PublishPrereq);
            AddStep(WellKnownPipelineSteps.BuildPrereq, Nothing, dependsOn: WellKnownPipelineSteps.ProcessParameters);
            AddStep(WellKnownPipelineSteps.Build, Nothing, dependsOn: WellKnownPipelineSteps.BuildPrereq);
            AddStep(WellKnownPipelineSteps.DeployPrereq, Nothing, dependsOn: WellKnownPipelineSteps.ProcessParameters);
            AddStep(WellKnownPipelineSteps.Deploy, Nothing, dependsOn: WellKnownPipelineSteps.DeployPrereq);

            static Task Nothing(PipelineStepContext context) => Task.CompletedTask;
        }

        public void AddStep(string name, Func<PipelineStepContext, Task> action, object? dependsOn = null, object? requiredBy = null) =>
            AddStep(new PipelineStep
            {
                Name = name, Action = action, DependsOnSteps = Names(dependsOn, nameof(dependsOn)), RequiredBySteps = Names(requiredBy, nameof(requiredBy)),
            });

        public void AddStep(PipelineStep step)
        {
            if (_steps.Exists(s => s.Name == step.Name))
            {
                throw new InvalidOperationException($"A step with the name '{step.Name}' has already been added to the pipeline.");
            }

            _steps.Add(step);
        }

        public async Task ExecuteAsync(PipelineContext context)
        {
            var wanted = context.Services.GetRequiredService<IOptions<PipelineOptions>>().Value.Step is { Length: > 0 } given
                ? given
                : WellKnownPipelineSteps.Publish;
            var steps = _steps.ToDictionary(s => s.Name);
            var needs = _steps.ToDictionary(s => s.Name, s => s.DependsOnSteps.ToHashSet());
            foreach (var step in _steps)
            {
                foreach (var requiring in step.RequiredBySteps)
                {
                    (needs.GetValueOrDefault(requiring) ?? throw Unknown(requiring, $"required by the name in step '{step.Name}'")).Add(step.Name);
                }
            }

            if (!steps.ContainsKey(wanted))
            {
                throw Unknown(wanted, "asked for");
            }

            var running = new Dictionary<string, Task>();
            await Run(wanted, []).ConfigureAwait(false);

            Task Run(string name, ImmutableList<string> path)
            {
                if (path.Contains(name))
                {
                    throw new DistributedApplicationException($"The pipeline steps depend on each other in a circle: {string.Join(" -> ", path.Add(name))}.");
                }

                if (!running.TryGetValue(name, out var run))
                {
                    var first = needs[name].Select(n => steps.ContainsKey(n) ? Run(n, path.Add(name)) : throw Unknown(n, $"a dependency of '{name}'")).ToList();
                    run = running[name] = RunOneAsync(steps[name], first);
                }

                return run;
            }

            async Task RunOneAsync(PipelineStep step, List<Task> first)
            {
                await Task.WhenAll(first).ConfigureAwait(false);
                context.CancellationToken.ThrowIfCancellationRequested();
                await step.Action(new PipelineStepContext { PipelineContext = context }).ConfigureAwait(false);
            }

            DistributedApplicationException Unknown(string name, string why) =>
                new($"Step '{name}' ({why}) not found in pipeline. Available steps: {string.Join(", ", _steps.Select(s => $"'{s.Name}'").Order())}");
        }

        /// <summary>A published system needs the value of every parameter that has one to be given: all that are missing are named at once.</summary>
        private static Task ProcessParametersAsync(PipelineStepContext context)
        {
            var missing = new List<string>();
            foreach (var parameter in context.Model.Resources.OfType<ParameterResource>().Where(p => !p.IsExcludedFromPublish()))
            {
                try
                {
                    _ = parameter.Value;
                }
                catch (MissingParameterValueException exception)
                {
                    missing.Add(exception.Message);
                }
            }

            return missing.Count == 0 ? Task.CompletedTask : throw new MissingParameterValueException(string.Join(Environment.NewLine, missing));
        }

        private static List<string> Names(object? value, string parameter) => value switch
        {
            null => [],
            string name => [name],
            IEnumerable<string> names => [.. names],
            PipelineStep step => [step.Name],
            _ => throw new ArgumentException($"'{parameter}' must be a step's name or a collection of names.", parameter),
        };
    }

    /// <summary>Publish mode: runs the step and ends the application; a failed step is one line on the console and exit code 1.</summary>
    internal sealed class PipelineExecutor(
        IDistributedApplicationPipeline pipeline,
        DistributedApplicationModel model,
        DistributedApplicationExecutionContext executionContext,
        IServiceProvider services,
        IHostApplicationLifetime lifetime,
        ILogger<PipelineExecutor> logger) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await Task.Yield();
            try
            {
                await pipeline.ExecuteAsync(new PipelineContext(model, executionContext, services, logger, stoppingToken)).ConfigureAwait(false);
            }
            catch (DistributedApplicationException exception)
            {
                Fail(exception.Message, null);
            }
            catch (Exception exception)
            {
                Fail($"The pipeline failed: {exception.Message}", exception);
            }

            lifetime.StopApplication();
        }

        private void Fail(string message, Exception? exception)
        {
            logger.LogError(exception, "{Message}", message);
            Environment.ExitCode = 1;
        }
    }
}
