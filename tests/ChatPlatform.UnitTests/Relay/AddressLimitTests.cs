using ChatPlatform.Relay;
using ChatPlatform.Relay.Sockets;
using Microsoft.Extensions.Options;

namespace ChatPlatform.UnitTests.Relay;

public sealed class AddressLimitTests
{
    private readonly AddressLimit _limit = new(Options.Create(new RelayOptions { ConnectionsPerAddress = 2 }));

    [Fact]
    public void One_more_than_the_limit_is_refused_until_another_has_left_and_other_addresses_do_not_notice()
    {
        _limit.TryEnter("one").ShouldBeTrue();
        _limit.TryEnter("one").ShouldBeTrue();
        _limit.TryEnter("one").ShouldBeFalse();
        _limit.TryEnter("other").ShouldBeTrue();

        _limit.Leave("one");

        _limit.TryEnter("one").ShouldBeTrue();
        _limit.TryEnter("one").ShouldBeFalse();
    }

    [Fact]
    public void The_platforms_own_are_not_counted()
    {
        for (var i = 0; i < 10; i++)
            _limit.TryEnter(null).ShouldBeTrue();

        _limit.Leave(null);
        _limit.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Many_at_once_get_no_more_than_the_limit_and_an_address_whose_last_connection_left_takes_no_memory()
    {
        var limit = new AddressLimit(Options.Create(new RelayOptions { ConnectionsPerAddress = 100 }));

        var let = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Enumerable.Range(0, 100).Count(_ => limit.TryEnter("one")))));

        let.Sum().ShouldBeInRange(1, 100);
        await Task.WhenAll(Enumerable.Range(0, let.Sum()).Select(_ => Task.Run(() => limit.Leave("one"))));
        limit.Count.ShouldBe(0);
    }
}
