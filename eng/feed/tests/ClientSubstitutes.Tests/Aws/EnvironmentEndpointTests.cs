using Amazon.DynamoDBStreams;
using Amazon.DynamoDBStreams.Model;
using Amazon.KinesisFirehose;
using Amazon.KinesisFirehose.Model;

namespace ClientSubstitutes.Tests.Aws;

/// <summary>Changes environment variables of the process: in a collection that runs alone.</summary>
[CollectionDefinition(nameof(EnvironmentEndpointTests), DisableParallelization = true)]
[Collection(nameof(EnvironmentEndpointTests))]
public sealed class EnvironmentEndpointTests : IDisposable
{
    private readonly Dictionary<string, string?> _before = [];

    public EnvironmentEndpointTests()
    {
        Set("AWS_ACCESS_KEY_ID", "from-environment");
        Set("AWS_SECRET_ACCESS_KEY", "secret");
        Set("AWS_REGION", "ap-northeast-2");
        Set("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    }

    public void Dispose()
    {
        foreach (var (name, value) in _before)
            Environment.SetEnvironmentVariable(name, value);
    }

    [Fact]
    public void Clients_take_the_endpoint_of_the_environment()
    {
        using var streams = new AmazonDynamoDBStreamsClient();
        using var firehose = new AmazonKinesisFirehoseClient();

        streams.DetermineServiceOperationEndpoint(new ListStreamsRequest()).URL.ShouldBe("http://127.0.0.1:9/");
        firehose.DetermineServiceOperationEndpoint(new ListDeliveryStreamsRequest()).URL.ShouldBe("http://127.0.0.1:9/");
    }

    [Fact]
    public void The_endpoint_of_the_service_goes_before_the_one_of_all_services()
    {
        Set("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://127.0.0.1:10");
        Set("AWS_ENDPOINT_URL_FIREHOSE", "http://127.0.0.1:11");
        using var streams = new AmazonDynamoDBStreamsClient();
        using var firehose = new AmazonKinesisFirehoseClient();

        streams.DetermineServiceOperationEndpoint(new ListStreamsRequest()).URL.ShouldBe("http://127.0.0.1:10/");
        firehose.DetermineServiceOperationEndpoint(new ListDeliveryStreamsRequest()).URL.ShouldBe("http://127.0.0.1:11/");
    }

    [Fact]
    public async Task A_default_client_signs_with_the_credentials_and_region_of_the_environment()
    {
        await using var server = await AwsJsonServer.StartAsync();
        server.Reply("{}");
        Set("AWS_ENDPOINT_URL", server.Url);
        using var firehose = new AmazonKinesisFirehoseClient();

        await firehose.ListDeliveryStreamsAsync(new ListDeliveryStreamsRequest());

        var authorization = server.Seen.Single().Headers["Authorization"];
        authorization.ShouldContain("Credential=from-environment/");
        authorization.ShouldContain("/ap-northeast-2/firehose/aws4_request");
    }

    private void Set(string name, string value)
    {
        _before.TryAdd(name, Environment.GetEnvironmentVariable(name));
        Environment.SetEnvironmentVariable(name, value);
    }
}
