using ChatPlatform.Relay.Sessions;
using ChatPlatform.Relay.Sockets;

namespace ChatPlatform.UnitTests.Relay;

public sealed class WaveCollectionTests
{
    [Fact]
    public void Memory_is_given_back_once_after_each_wave_and_never_in_one()
    {
        using var collection = new WaveCollection(new SessionRegistry(), TimeProvider.System);
        int[] sockets = [0, 3_000, 8_000, 8_010, 8_020, 8_300, 8_900, 9_100, 9_110, 2_000, 2_010, 2_900, 3_100, 3_110];

        // The first wave has passed at 8,010, a slow one at 9,100; after most have left, the next counts from there.
        sockets.Select(collection.Look).ShouldBe([false, false, false, true, false, false, false, true, false, false, false, false, false, true]);
    }
}
