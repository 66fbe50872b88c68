using System.Text;
using ChatPlatform.Contracts.Frames;
using ChatPlatform.Relay;
using ChatPlatform.Relay.Sockets;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.Relay;

public sealed class ClientFrameTests
{
    [Fact]
    public void A_hello_names_the_rooms_to_resume()
    {
        var frame = ClientFrame.Parse("""{"type":"hello","resume":{"r1":41,"r2":0},"extra":[]}"""u8)!;

        frame.Type.ShouldBe("hello");
        frame.Resume!.ShouldBe(new Dictionary<string, long> { ["r1"] = 41, ["r2"] = 0 });
    }

    [Fact]
    public void Whatever_bytes_come_parsing_gives_a_frame_or_none()
    {
        var random = new Random(20_260_301);
        var seeds = new[] { """{"type":"send","ref":"r","roomId":"x","clientMessageId":"c","kind":"text","text":"안녕"}""", """{"type":"hello","resume":{"a":1}}""", "{\"seq\":9e99}" };
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = Encoding.UTF8.GetBytes(seeds[i % seeds.Length]);
            for (var change = random.Next(1, 6); change > 0; change--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            ClientFrame.Parse(bytes.AsSpan(0, random.Next(bytes.Length + 1)));
        }
    }

    [Fact]
    public void A_budget_lets_a_burst_through_and_then_the_rate()
    {
        var time = new FakeTimeProvider();
        var budget = new FrameBudget(10, time);

        Enumerable.Range(0, 60).Count(_ => budget.TryTake(time)).ShouldBe(50);
        time.Advance(TimeSpan.FromSeconds(1));
        Enumerable.Range(0, 60).Count(_ => budget.TryTake(time)).ShouldBe(10);
    }

    [Theory]
    [InlineData("service.instance.id=abc,service.name=relay", "abc")]
    [InlineData("service.name=relay, service.instance.id=a%20b", "a b")]
    [InlineData("service.name=relay", null)]
    [InlineData(null, null)]
    public void The_node_is_named_after_the_service_instance(string? attributes, string? expected) => ChatRelay.InstanceId(attributes).ShouldBe(expected);

    [Fact]
    public void An_ack_without_a_reference_has_none() =>
        Encoding.UTF8.GetString(ServerFrames.Ack(null, "{\"seq\":1}"u8.ToArray())).ShouldBe("""{"type":"ack","message":{"seq":1}}""");

    [Fact]
    public void Wrong_options_name_the_key_the_value_and_what_is_allowed()
    {
        var result = new RelayOptionsValidator().Validate(null, new RelayOptions { NodeId = "n 1", AdvertisedGrpcAddress = "tcp://x", HelloSeconds = 0 });

        result.Failures!.ShouldContain(failure => failure.Contains("Relay:NodeId is 'n 1'"));
        result.Failures!.ShouldContain(failure => failure.Contains("Relay:AdvertisedGrpcAddress is 'tcp://x'"));
        result.Failures!.ShouldContain(failure => failure.Contains("Relay:HelloSeconds is 0"));
    }
}
