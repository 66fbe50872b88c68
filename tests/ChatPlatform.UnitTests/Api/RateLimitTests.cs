using System.Net;
using ChatPlatform.Api.Limits;
using ChatPlatform.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.Api;

public sealed class RateLimitTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));

    [Fact]
    public void A_bucket_gives_its_burst_at_once_and_then_its_rate()
    {
        var buckets = new LocalBuckets(_time);
        (string, RateLimit)[] bucket = [("u", new RateLimit { Burst = 3, PerSecond = 2 })];

        Enumerable.Range(0, 3).Select(_ => buckets.Take(bucket).Remaining).ShouldBe([2, 1, 0]);
        var refused = buckets.Take(bucket);
        refused.IsRefused.ShouldBeTrue();
        refused.Wait.ShouldBe(TimeSpan.FromSeconds(0.5));
        refused.Reset.ShouldBe(TimeSpan.FromSeconds(1.5));
        _time.Advance(TimeSpan.FromSeconds(0.5));
        buckets.Take(bucket).IsRefused.ShouldBeFalse();
        buckets.Take(bucket).IsRefused.ShouldBeTrue();
        _time.Advance(TimeSpan.FromHours(1));
        Enumerable.Range(0, 4).Select(_ => buckets.Take(bucket).IsRefused).ShouldBe([false, false, false, true]);
    }

    [Fact]
    public void A_call_takes_a_token_of_each_bucket_or_of_none()
    {
        var buckets = new LocalBuckets(_time);
        var wide = ("calls", new RateLimit { Burst = 5, PerSecond = 1 });
        var narrow = ("sends", new RateLimit { Burst = 1, PerSecond = 1 });

        buckets.Take([wide, narrow]).IsRefused.ShouldBeFalse();
        for (var i = 0; i < 10; i++)
            buckets.Take([wide, narrow]).IsRefused.ShouldBeTrue();

        buckets.Take([wide]).Remaining.ShouldBe(3);
    }

    [Fact]
    public void However_many_callers_come_the_memory_is_bounded_and_a_busy_one_stays_limited()
    {
        var buckets = new LocalBuckets(_time, generationSize: 100);
        var limit = new RateLimit { Burst = 1, PerSecond = 0.001 };
        buckets.Take([("busy", limit)]).IsRefused.ShouldBeFalse();

        for (var i = 0; i < 90; i++)
            buckets.Take([($"{i}", limit)]);
        buckets.Take([("busy", limit)]).IsRefused.ShouldBeTrue();
        for (var i = 0; i < 10_000; i++)
            buckets.Take([($"other {i}", limit)]);

        buckets.Count.ShouldBeLessThanOrEqualTo(202);
    }

    [Theory]
    [InlineData("203.0.113.7", null, "203.0.113.7")]
    [InlineData("203.0.113.7", "198.51.100.1", "203.0.113.7")]
    [InlineData("10.1.2.3", "198.51.100.1", "198.51.100.1")]
    [InlineData("10.1.2.3", "1.1.1.1, 198.51.100.1", "198.51.100.1")]
    [InlineData("10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1")]
    [InlineData("10.1.2.3", "198.51.100.1:4711", "198.51.100.1")]
    [InlineData("10.1.2.3", "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64")]
    [InlineData("10.1.2.3", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    [InlineData("::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1")]
    [InlineData("10.1.2.3", null, null)]
    [InlineData("10.1.2.3", "10.4.4.4", null)]
    [InlineData("10.1.2.3", "not an address", null)]
    [InlineData("2001:db8::1", "198.51.100.1", "2001:db8::/64")]
    public void A_forwarded_address_is_believed_only_of_a_trusted_proxy(string remote, string? forwarded, string? expected)
    {
        var addresses = new CallerAddress("10.0.0.0/8");
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(remote);
        if (forwarded is not null)
            context.Request.Headers["X-Forwarded-For"] = forwarded;

        addresses.Find(context).ShouldBe(expected);
    }

    [Theory]
    [InlineData(0, 1, "127.0.0.0/8", "RateLimits:User:Burst is 0")]
    [InlineData(1, 0, "127.0.0.0/8", "RateLimits:User:PerSecond is 0")]
    [InlineData(1, double.NaN, "127.0.0.0/8", "RateLimits:User:PerSecond is NaN")]
    [InlineData(1, 1, "localhost", "RateLimits:TrustedProxies holds 'localhost'")]
    public void A_wrong_limit_stops_the_service_and_is_named(int burst, double perSecond, string proxies, string expected) =>
        new RateLimitOptionsValidator()
            .Validate(null, new RateLimitOptions { User = new RateLimit { Burst = burst, PerSecond = perSecond }, TrustedProxies = proxies })
            .FailureMessage!.ShouldContain(expected);
}
