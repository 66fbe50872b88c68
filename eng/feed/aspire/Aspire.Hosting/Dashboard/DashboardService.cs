using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard.Wire;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using HealthStatus = Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus;

namespace Aspire.Hosting.Dashboard;

/// <summary>What the dashboard asks: the resources and their changes, their consoles, and to carry out commands.</summary>
internal sealed class DashboardService(
    DashboardSettings settings,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceCommandService commands,
    IHostApplicationLifetime lifetime) : Wire.DashboardService.DashboardServiceBase
{
    public override Task<ApplicationInformationResponse> GetApplicationInformation(ApplicationInformationRequest request, ServerCallContext context) =>
        Task.FromResult(new ApplicationInformationResponse { ApplicationName = settings.ApplicationName });

    public override Task WatchResources(
        WatchResourcesRequest request, IServerStreamWriter<WatchResourcesUpdate> responseStream, ServerCallContext context) =>
        UntilCancelledAsync(context, async token =>
        {
            // The current states come as changes right after the empty beginning.
            await responseStream.WriteAsync(new WatchResourcesUpdate { InitialData = new InitialResourceData() }, token).ConfigureAwait(false);
            await foreach (var change in notifications.WatchAsync(token).ConfigureAwait(false))
            {
                var changes = new WatchResourcesChanges();
                changes.Value.Add(new WatchResourcesChange { Upsert = ToWire(change) });
                await responseStream.WriteAsync(new WatchResourcesUpdate { Changes = changes }, token).ConfigureAwait(false);
            }
        });

    public override Task WatchResourceConsoleLogs(
        WatchResourceConsoleLogsRequest request, IServerStreamWriter<WatchResourceConsoleLogsUpdate> responseStream, ServerCallContext context) =>
        UntilCancelledAsync(context, async token =>
        {
            var lines = request.SuppressFollow ? loggers.GetAllAsync(request.ResourceName) : loggers.WatchAsync(request.ResourceName);
            await foreach (var batch in lines.WithCancellation(token).ConfigureAwait(false))
            {
                var update = new WatchResourceConsoleLogsUpdate();
                update.LogLines.AddRange(batch.Select(l => new ConsoleLogLine { Text = l.Content, IsStdErr = l.IsErrorMessage, LineNumber = l.LineNumber }));
                await responseStream.WriteAsync(update, token).ConfigureAwait(false);
            }
        });

    public override async Task<ResourceCommandResponse> ExecuteResourceCommand(ResourceCommandRequest request, ServerCallContext context)
    {
        var result = await commands.ExecuteCommandAsync(request.ResourceName, request.CommandName, context.CancellationToken).ConfigureAwait(false);
        var response = new ResourceCommandResponse
        {
            Kind = result.Success
                ? ResourceCommandResponseKind.Succeeded
                : result.Canceled ? ResourceCommandResponseKind.Cancelled : ResourceCommandResponseKind.Failed,
        };
        if ((result.Message ?? result.ErrorMessage) is { } message)
        {
            response.Message = message;
        }

        return response;
    }

    /// <summary>The dashboard keeps this stream open to be asked; nothing is ever asked.</summary>
    public override Task WatchInteractions(
        IAsyncStreamReader<WatchInteractionsRequestUpdate> requestStream, IServerStreamWriter<WatchInteractionsResponseUpdate> responseStream,
        ServerCallContext context) => UntilCancelledAsync(context, token => Task.Delay(Timeout.Infinite, token));

    private async Task UntilCancelledAsync(ServerCallContext context, Func<CancellationToken, Task> serve)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            await serve(ending.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            return;
        }
    }

    private static Wire.Resource ToWire(ResourceEvent change)
    {
        var snapshot = change.Snapshot;
        var resource = new Wire.Resource
        {
            Name = change.ResourceId,
            Uid = change.ResourceId,
            DisplayName = change.Resource.Name,
            ResourceType = snapshot.ResourceType,
            IsHidden = snapshot.IsHidden,
            CreatedAt = Time(snapshot.CreationTimeStamp),
            StartedAt = Time(snapshot.StartTimeStamp),
            StoppedAt = Time(snapshot.StopTimeStamp),
        };
        if (snapshot.State is { } state)
        {
            resource.State = state.Text;
            if (state.Style is { } style)
            {
                resource.StateStyle = style;
            }
        }

        if (snapshot.IconName is { } icon)
        {
            resource.IconName = icon;
            resource.IconVariant = Variant(snapshot.IconVariant);
        }

        foreach (var variable in snapshot.EnvironmentVariables)
        {
            var wire = new EnvironmentVariable { Name = variable.Name, IsFromSpec = variable.IsFromSpec };
            if (variable.Value is { } value)
            {
                wire.Value = value;
            }

            resource.Environment.Add(wire);
        }

        foreach (var url in snapshot.Urls)
        {
            var wire = new Url
            {
                FullUrl = url.Url, IsInternal = url.IsInternal, IsInactive = url.IsInactive,
                DisplayProperties = new UrlDisplayProperties { DisplayName = url.DisplayProperties.DisplayName, SortOrder = url.DisplayProperties.SortOrder },
            };
            if (url.Name is { } name)
            {
                wire.EndpointName = name;
            }

            resource.Urls.Add(wire);
        }

        resource.Volumes.AddRange(snapshot.Volumes.Select(v => new Volume
        {
            Source = v.Source ?? "", Target = v.Target, MountType = v.MountType, IsReadOnly = v.IsReadOnly,
        }));
        resource.Relationships.AddRange(snapshot.Relationships.Select(r => new ResourceRelationship { ResourceName = r.ResourceName, Type = r.Type }));
        resource.Properties.AddRange(snapshot.Properties.Select(p => new ResourceProperty { Name = p.Name, Value = ToValue(p.Value), IsSensitive = p.IsSensitive }));
        if (snapshot.ExitCode is { } exitCode)
        {
            resource.Properties.Add(new ResourceProperty { Name = "resource.exitCode", Value = Value.ForNumber(exitCode) });
        }

        foreach (var report in snapshot.HealthReports)
        {
            var wire = new HealthReport
            {
                Key = report.Name, Description = report.Description ?? "", Exception = report.ExceptionText ?? "", LastRunAt = Time(report.LastRunAt),
            };
            if (report.Status is { } status)
            {
                wire.Status = status switch
                {
                    HealthStatus.Healthy => Wire.HealthStatus.Healthy,
                    HealthStatus.Degraded => Wire.HealthStatus.Degraded,
                    _ => Wire.HealthStatus.Unhealthy,
                };
            }

            resource.HealthReports.Add(wire);
        }

        resource.Commands.AddRange(snapshot.Commands.Select(ToWire));
        return resource;
    }

    private static ResourceCommand ToWire(ResourceCommandSnapshot command)
    {
        var wire = new ResourceCommand
        {
            Name = command.Name,
            DisplayName = command.DisplayName,
            IsHighlighted = command.IsHighlighted,
            IconVariant = Variant(command.IconVariant),
            State = command.State switch
            {
                ApplicationModel.ResourceCommandState.Enabled => Wire.ResourceCommandState.Enabled,
                ApplicationModel.ResourceCommandState.Disabled => Wire.ResourceCommandState.Disabled,
                _ => Wire.ResourceCommandState.Hidden,
            },
        };
        if (command.ConfirmationMessage is { } confirmation)
        {
            wire.ConfirmationMessage = confirmation;
        }

        if (command.IconName is { } icon)
        {
            wire.IconName = icon;
        }

        if (command.DisplayDescription is { } description)
        {
            wire.DisplayDescription = description;
        }

        return wire;
    }

    private static Wire.IconVariant Variant(ApplicationModel.IconVariant? variant) =>
        variant == ApplicationModel.IconVariant.Filled ? Wire.IconVariant.Filled : Wire.IconVariant.Regular;

    private static Timestamp? Time(DateTime? time) => time is { } value ? Timestamp.FromDateTime(value.ToUniversalTime()) : null;

    private static Value ToValue(object? value) => value switch
    {
        null => Value.ForNull(),
        bool flag => Value.ForBool(flag),
        string text => Value.ForString(text),
        int or long or double or float => Value.ForNumber(Convert.ToDouble(value, CultureInfo.InvariantCulture)),
        IEnumerable<string> list => Value.ForList([.. list.Select(Value.ForString)]),
        _ => Value.ForString(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""),
    };
}
