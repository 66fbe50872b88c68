using ChatPlatform.Gateway.Routing;

namespace ChatPlatform.UnitTests.Gateway;

public sealed class GatewayOptionsTests
{
    [Theory]
    [InlineData("http://127.0.0.1:5001")]
    [InlineData("https://api.internal/")]
    [InlineData("http://127.0.0.1:5001, http://127.0.0.1:5002")]
    public void Absolute_root_urls_are_taken(string api) => Validate(api, "http://127.0.0.1:6001", null).ShouldBeNull();

    [Theory]
    [InlineData("", "Gateway:Api is ''")]
    [InlineData("127.0.0.1:5001", "Gateway:Api is '127.0.0.1:5001'; it must be an absolute http or https url")]
    [InlineData("tcp://127.0.0.1:5001", "http or https")]
    [InlineData("http://127.0.0.1:5001/v1", "without a path")]
    [InlineData("http://user:secret@127.0.0.1:5001", "absolute")]
    [InlineData("http://127.0.0.1:5001,nonsense", "nonsense")]
    [InlineData("http://a,http://A", "named once")]
    public void Anything_else_stops_the_start_with_key_value_and_what_is_allowed(string api, string expected) =>
        Validate(api, "http://127.0.0.1:6001", null)!.ShouldContain(expected);

    [Fact]
    public void The_relay_is_required_and_gRPC_is_not()
    {
        Validate("http://a", "", null)!.ShouldContain("Gateway:Relay");
        Validate("http://a", "http://b", "").ShouldBeNull();
        Validate("http://a", "http://b", "grpc://c")!.ShouldContain("Gateway:ApiGrpc is 'grpc://c'");
    }

    [Fact]
    public void Without_a_gRPC_address_there_is_no_gRPC_route()
    {
        var options = new GatewayOptions { Api = "http://a,http://b", Relay = "http://c" };
        RouteTable.Routes(options).ShouldAllBe(route => route.ClusterId != RouteTable.ApiGrpc);
        RouteTable.Clusters(options).Single(cluster => cluster.ClusterId == RouteTable.Api).Destinations!.Count.ShouldBe(2);

        options.ApiGrpc = "http://d";
        RouteTable.Routes(options).Count(route => route.ClusterId == RouteTable.ApiGrpc).ShouldBe(2);
        RouteTable.Clusters(options).Single(cluster => cluster.ClusterId == RouteTable.ApiGrpc).HttpRequest!.Version.ShouldBe(new Version(2, 0));
    }

    private static string? Validate(string api, string relay, string? grpc)
    {
        var result = new GatewayOptionsValidator().Validate(null, new GatewayOptions { Api = api, Relay = relay, ApiGrpc = grpc });
        return result.Succeeded ? null : result.FailureMessage;
    }
}
