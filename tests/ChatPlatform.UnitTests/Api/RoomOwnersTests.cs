using ChatPlatform.Api.Rooms.Owners;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.Api;

public sealed class RoomOwnersTests
{
    private static readonly ApiNode[] Nodes = [.. Enumerable.Range(1, 5).Select(n => new ApiNode($"http://10.0.0.{n}:8080", $"http://10.0.0.{n}:8081"))];
    private static readonly string[] Rooms = [.. Enumerable.Range(0, 2_000).Select(n => $"room-{n}")];

    [Fact]
    public void Every_server_names_the_same_owner_whatever_order_it_knows_the_others_in() =>
        Rooms.ShouldAllBe(room => Rendezvous.Choose(room, Nodes) == Rendezvous.Choose(room, Nodes.Reverse()));

    [Fact]
    public void The_choice_is_the_same_in_every_process_and_version() =>
        Rendezvous.Choose("room-1", Nodes)!.Address.ShouldBe(OwnerOfRoom1);

    [Fact]
    public void Rooms_are_spread_evenly() =>
        Rooms.GroupBy(room => Rendezvous.Choose(room, Nodes)).ShouldAllBe(share => share.Count() > 300 && share.Count() < 500);

    [Fact]
    public void A_server_that_goes_moves_its_own_rooms_only() =>
        Rooms.Where(room => Rendezvous.Choose(room, Nodes) != Nodes[2]).ShouldAllBe(room => Rendezvous.Choose(room, Nodes) == Rendezvous.Choose(room, Nodes.Where(node => node != Nodes[2])));

    [Fact]
    public void Nothing_is_passed_on_before_the_directory_is_known_nor_after_leaving_it()
    {
        var owners = new RoomOwners(TimeProvider.System);
        Rooms.ShouldAllBe(room => owners.FindElsewhere(room) == null);

        owners.Update(Nodes[0], Nodes);
        Rooms.ShouldContain(room => owners.FindElsewhere(room) != null);
        owners.Update(null, []);

        Rooms.ShouldAllBe(room => owners.FindElsewhere(room) == null);
    }

    [Fact]
    public void A_server_that_did_not_answer_is_passed_over_for_a_while()
    {
        var time = new FakeTimeProvider();
        var owners = new RoomOwners(time);
        owners.Update(Nodes[0], Nodes);
        var room = Rooms.First(room => owners.FindElsewhere(room) == Nodes[3]);

        owners.PassOver(Nodes[3]);
        owners.FindElsewhere(room).ShouldNotBe(Nodes[3]);

        time.Advance(TimeSpan.FromSeconds(5));
        owners.FindElsewhere(room).ShouldBe(Nodes[3]);
    }

    [Fact]
    public void A_new_room_belongs_to_the_server_that_makes_it()
    {
        var owners = new RoomOwners(TimeProvider.System);
        owners.Update(Nodes[0], Nodes[..2]);

        Enumerable.Range(0, 50).ShouldAllBe(_ => owners.FindElsewhere(owners.NewRoomId()) == null);
    }

    [Theory]
    [InlineData("http://a:1 http://b:2", "http://b:2")]
    [InlineData("http://a:1", null)]
    public void A_node_is_read_as_it_was_written(string text, string? grpc)
    {
        var node = ApiNode.Parse(text)!;

        node.ShouldBe(new ApiNode("http://a:1", grpc));
        node.ToString().ShouldBe(text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a:1")]
    [InlineData("http://a:1 http://b:2 http://c:3")]
    [InlineData("http://a:1 b")]
    public void What_is_no_node_is_passed_over(string text) => ApiNode.Parse(text).ShouldBeNull();

    // Computed apart from this code, from the definition of XXH64.
    private const string OwnerOfRoom1 = "http://10.0.0.5:8080";
}
