using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Outputs;

namespace ChatPlatform.UnitTests.Events;

public sealed class PipelineTests
{
    private const string Good = """
        service:
          storage.path: ${STORAGE_PATH}
        pipeline:
          inputs:
            - name: forward
              listen: 127.0.0.1
              port: ${FLUENT_PORT}
              storage.type: filesystem
          outputs:
            - name: kafka
              match: chat.*
              brokers: 127.0.0.1:9092
              topics: chat.events
              format: raw
              raw_log_key: event
              message_key_field: key
              retry_limit: no_limits
              rdkafka.linger.ms: 3
        """;

    [Fact]
    public void Variables_sizes_and_client_settings_arrive()
    {
        var pipeline = Parse(Good.Replace("match: chat.*", "match: chat.*\n      storage.total_limit_size: 5M"));

        pipeline.Service.StoragePath.ShouldBe("/tmp/chunks");
        pipeline.Inputs.Single().Endpoint.Port.ShouldBe(24224);
        var kafka = pipeline.Outputs.Single().ShouldBeOfType<KafkaOutputSettings>();
        kafka.TotalLimitBytes.ShouldBe(5_000_000);
        kafka.Client["linger.ms"].ShouldBe("3");
        kafka.Client["acks"].ShouldBe("all");
        kafka.RawLogKey.ShouldBe("event");
    }

    [Fact]
    public void The_repository_s_own_configuration_loads()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "services/fluent-bit/fluent-bit.yaml")))
            folder = Path.GetDirectoryName(folder) ?? throw new FileNotFoundException("services/fluent-bit/fluent-bit.yaml");
        var pipeline = Pipeline.Load(Path.Combine(folder, "services/fluent-bit/fluent-bit.yaml"), Variable);
        pipeline.Outputs.Single().Match.Matches("chat.events").ShouldBeTrue();
    }

    [Theory]
    [InlineData("port: ${FLUENT_PORT}", "port: ${NOT_SET}", "test.yaml:7: ", "${NOT_SET}, which is not set")]
    [InlineData("port: ${FLUENT_PORT}", "port: 70000", "test.yaml:7: ", "'port' is '70000'")]
    [InlineData("port: ${FLUENT_PORT}", "unix_path: /tmp/s", "test.yaml:7: ", "'unix_path' is not supported")]
    [InlineData("storage.type: filesystem", "storage.type: memory", "test.yaml:8: ", "must be 'filesystem'")]
    [InlineData("name: forward", "name: tail", "test.yaml:5: ", "input 'forward' only")]
    [InlineData("name: kafka", "name: loki", "test.yaml:10: ", "'kafka', 'stdout', 'file' and 'null'")]
    [InlineData("match: chat.*", "match: chat.*\n      workers: 2", "test.yaml:12: ", "'workers' is not supported")]
    [InlineData("retry_limit: no_limits", "retry_limit: 5", "test.yaml:17: ", "never drops")]
    [InlineData("rdkafka.linger.ms: 3", "rdkafka.request.required.acks: 1", "test.yaml:18: ", "in-sync replicas")]
    [InlineData("rdkafka.linger.ms: 3", "rdkafka.no.such.thing: 1", "test.yaml:10: ", "no.such.thing")]
    [InlineData("format: raw", "format: msgpack", "test.yaml:14: ", "'format' is 'msgpack'")]
    [InlineData("raw_log_key: event", "message_key: k", "test.yaml:10: ", "'raw_log_key' and 'format: raw' belong together")]
    [InlineData("topics: chat.events", "topics: a,b", "test.yaml:13: ", "one topic")]
    [InlineData("  outputs:", "  filters:\n    - name: lua\n  outputs:", "test.yaml:10: ", "filter 'lua'")]
    [InlineData("  storage.path: ${STORAGE_PATH}", "  storage.path: x\n  storage.checksum: off", "test.yaml:3: ", "cannot be switched off")]
    [InlineData("pipeline:", "parsers: []\npipeline:", "test.yaml:3: ", "'parsers' is not supported")]
    [InlineData("service:", "service: [", "test.yaml:", "no valid YAML")]
    public void What_it_does_not_honour_is_named_with_its_line(string instead, string put, string place, string what)
    {
        var error = Should.Throw<PipelineFileException>(() => Parse(Good.Replace(instead, put)));
        error.Message.ShouldStartWith(place);
        error.Message.ShouldContain(what);
    }

    [Theory]
    [InlineData("*", "anything", true)]
    [InlineData("chat.*", "chat.events", true)]
    [InlineData("chat.*", "chat", false)]
    [InlineData("*.events", "chat.events", true)]
    [InlineData("c*t.e*s", "chat.events", true)]
    [InlineData("chat.events", "chat.events2", false)]
    [InlineData("ab*ba", "aba", false)]
    public void Tags_match_as_in_fluent_bit(string pattern, string tag, bool matches) => new TagPattern(pattern).Matches(tag).ShouldBe(matches);

    private static Pipeline Parse(string yaml) => Pipeline.Parse(yaml, "test.yaml", Variable);

    private static string? Variable(string name) => name switch
    {
        "STORAGE_PATH" => "/tmp/chunks",
        "FLUENT_PORT" => "24224",
        "FLUENT_LISTEN" => "127.0.0.1",
        "KAFKA_BROKERS" => "127.0.0.1:9092",
        _ => null,
    };
}
