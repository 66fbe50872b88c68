using System.Collections.Concurrent;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Eventing
{
    public interface IDistributedApplicationEvent;

    public interface IDistributedApplicationResourceEvent : IDistributedApplicationEvent
    {
        IResource Resource { get; }
    }

    public enum EventDispatchBehavior
    {
        BlockingSequential = 0,
        BlockingConcurrent = 1,
        NonBlockingSequential = 2,
        NonBlockingConcurrent = 3,
    }

    public class DistributedApplicationEventSubscription(Func<IDistributedApplicationEvent, CancellationToken, Task> callback)
    {
        public Func<IDistributedApplicationEvent, CancellationToken, Task> Callback { get; } = callback;
    }

    public class DistributedApplicationResourceEventSubscription(IResource? resource, Func<IDistributedApplicationResourceEvent, CancellationToken, Task> callback)
        : DistributedApplicationEventSubscription((@event, token) => callback((IDistributedApplicationResourceEvent)@event, token))
    {
        public IResource? Resource { get; } = resource;
    }

    public interface IDistributedApplicationEventing
    {
        DistributedApplicationEventSubscription Subscribe<T>(Func<T, CancellationToken, Task> callback)
            where T : IDistributedApplicationEvent;

        DistributedApplicationEventSubscription Subscribe<T>(IResource resource, Func<T, CancellationToken, Task> callback)
            where T : IDistributedApplicationResourceEvent;

        void Unsubscribe(DistributedApplicationEventSubscription subscription);

        /// <summary>Calls the subscribers one after the other and waits for each.</summary>
        Task PublishAsync<T>(T @event, CancellationToken cancellationToken = default)
            where T : IDistributedApplicationEvent;

        Task PublishAsync<T>(T @event, EventDispatchBehavior dispatchBehavior, CancellationToken cancellationToken = default)
            where T : IDistributedApplicationEvent;
    }

    public class DistributedApplicationEventing : IDistributedApplicationEventing
    {
        private readonly ConcurrentDictionary<Type, ImmutableList<DistributedApplicationEventSubscription>> _subscriptions = new();

        public DistributedApplicationEventSubscription Subscribe<T>(Func<T, CancellationToken, Task> callback)
            where T : IDistributedApplicationEvent =>
            Add<T>(new DistributedApplicationEventSubscription((@event, token) => callback((T)@event, token)));

        public DistributedApplicationEventSubscription Subscribe<T>(IResource resource, Func<T, CancellationToken, Task> callback)
            where T : IDistributedApplicationResourceEvent =>
            Add<T>(new DistributedApplicationResourceEventSubscription(
                resource,
                (@event, token) => ReferenceEquals(@event.Resource, resource) ? callback((T)@event, token) : Task.CompletedTask));

        public void Unsubscribe(DistributedApplicationEventSubscription subscription)
        {
            foreach (var type in _subscriptions.Keys)
            {
                _subscriptions.AddOrUpdate(type, [], (_, list) => list.Remove(subscription));
            }
        }

        public Task PublishAsync<T>(T @event, CancellationToken cancellationToken = default)
            where T : IDistributedApplicationEvent => PublishAsync(@event, EventDispatchBehavior.BlockingSequential, cancellationToken);

        public Task PublishAsync<T>(T @event, EventDispatchBehavior dispatchBehavior, CancellationToken cancellationToken = default)
            where T : IDistributedApplicationEvent
        {
            var subscribers = _subscriptions.GetValueOrDefault(typeof(T), []);
            switch (dispatchBehavior)
            {
                case EventDispatchBehavior.BlockingSequential:
                    return Sequentially();
                case EventDispatchBehavior.BlockingConcurrent:
                    return Concurrently();
                case EventDispatchBehavior.NonBlockingSequential:
                    _ = Task.Run(Sequentially, CancellationToken.None);
                    return Task.CompletedTask;
                default:
                    _ = Task.Run(Concurrently, CancellationToken.None);
                    return Task.CompletedTask;
            }

            async Task Sequentially()
            {
                foreach (var subscriber in subscribers)
                {
                    await subscriber.Callback(@event, cancellationToken).ConfigureAwait(false);
                }
            }

            Task Concurrently() => Task.WhenAll(subscribers.Select(s => s.Callback(@event, cancellationToken)));
        }

        private DistributedApplicationEventSubscription Add<T>(DistributedApplicationEventSubscription subscription)
        {
            _subscriptions.AddOrUpdate(typeof(T), [subscription], (_, list) => list.Add(subscription));
            return subscription;
        }
    }
}

namespace Aspire.Hosting.Lifecycle
{
    using Aspire.Hosting.Eventing;
    using Microsoft.Extensions.DependencyInjection.Extensions;

    public interface IDistributedApplicationEventingSubscriber
    {
        Task SubscribeAsync(
            IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken);
    }

    public static class EventingSubscriberServiceCollectionExtensions
    {
        public static void AddEventingSubscriber<T>(this IServiceCollection services)
            where T : class, IDistributedApplicationEventingSubscriber => services.AddSingleton<IDistributedApplicationEventingSubscriber, T>();

        public static void TryAddEventingSubscriber<T>(this IServiceCollection services)
            where T : class, IDistributedApplicationEventingSubscriber =>
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IDistributedApplicationEventingSubscriber, T>());
    }
}
