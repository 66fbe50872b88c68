using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Events;

/// <summary>Wires <see cref="IEventPublisher"/>.</summary>
internal static class EventPublishing
{
    /// <summary>Adds the publisher, its spool and sender, and the readiness check <c>events</c>, from the section <c>Events</c>. A wrong setting or an unwritable folder stops the service at start.</summary>
    public static IServiceCollection AddEventPublishing(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddOptions<EventOptions>().BindConfiguration(EventOptions.Section).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<EventOptions>, EventOptionsValidator>());
        services.AddSingleton<EventSpool>();
        services.AddSingleton<IEventPublisher>(provider => provider.GetRequiredService<EventSpool>());
        // Opens the spool when the host starts, so that a folder that cannot be written is found then and not by the first message.
        services.AddTransient<SpoolSender>();
        services.AddHostedService<ForwardSender>();
        services.AddHostedService<AbandonedSpools>();
        services.AddHealthChecks().AddCheck<EventSpoolHealth>("events");
        return services;
    }
}
