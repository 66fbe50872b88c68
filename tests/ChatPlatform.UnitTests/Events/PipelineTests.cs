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
    [InlineData("name: kafka", "name: loki", "test.yaml:10: ", "'kafka', 's3', 'kinesis_firehose', 'stdout', 'file' and 'null'")]
    [InlineData("match: chat.*", "match: chat.*\n      workers: 2", "test.yaml:12: ", "'workers' is not supported")]
    [InlineData("retry_limit: no_limits", "retry_limit: 5", "test.yaml:17: ", "never drops")]
    [InlineData("rdkafka.linger.ms: 3", "rdkafka.request.required.acks: 1", "test.yaml:18: ", "in-sync replicas")]
    [InlineData("rdkafka.linger.ms: 3", "rdkafka.no.such.thing: 1", "test.yaml:10: ", "no.such.thing")]
    [InlineData("format: raw", "format: msgpack", "test.yaml:14: ", "'format' is 'msgpack'")]
    [InlineData("raw_log_key: event", "message_key: k", "test.yaml:10: ", "'raw_log_key' and 'format: raw' belong together")]
    [InlineData("topics: chat.events", "topics: a,b", "test.yaml:13: ", "one topic")]
    [InlineData("  outputs:", "  filters:\n    - name: lua\n      match: '*'\n  outputs:", "test.yaml:10: ", "filter 'lua'")]
    [InlineData("  outputs:", "  filters:\n    - name: grep\n      match: '*'\n      regex: key (\n  outputs:", "test.yaml:12: ", "'regex' is '('; it must be a regular expression")]
    [InlineData("  outputs:", "  filters:\n    - name: grep\n      match: '*'\n      regex: key (?=a)\n  outputs:", "test.yaml:12: ", "look-around")]
    [InlineData("  outputs:", "  filters:\n    - name: grep\n      match: '*'\n      logical_op: AND\n      regex: a b\n      exclude: a b\n  outputs:", "test.yaml:12: ", "one kind")]
    [InlineData("  outputs:", "  filters:\n    - name: modify\n      match: '*'\n      rename: a\n  outputs:", "test.yaml:12: ", "'rename' is 'a'")]
    [InlineData("  outputs:", "  filters:\n    - name: modify\n      match: '*'\n      set: a b\n      condition: key_is a\n  outputs:", "test.yaml:13: ", "'condition' is 'key_is a'")]
    [InlineData("  outputs:", "  filters:\n    - name: record_modifier\n      match: '*'\n      remove_key: a\n      allowlist_key: b\n  outputs:", "test.yaml:13: ", "exclude each other")]
    [InlineData("  outputs:", "  filters:\n    - name: record_modifier\n      match: '*'\n      remove_key: a\n      script: b\n  outputs:", "test.yaml:13: ", "'script' is not supported")]
    [InlineData("match: chat.*", "match: chat.*\n      match_regex: chat", "test.yaml:11: ", "one of 'match' and 'match_regex'")]
    [InlineData("match: chat.*", "match_regex: '('", "test.yaml:11: ", "'match_regex' is '('")]
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

    [Theory]
    [InlineData("chat\\.(events|audit)", "chat.events", true)]
    [InlineData("chat", "chat.events", true)]
    [InlineData("events", "chat.events", false)]
    public void A_tag_expression_holds_from_the_first_character(string expression, string tag, bool matches) =>
        Parse(Good.Replace("match: chat.*", $"match_regex: {expression}")).Outputs.Single().Match.Matches(tag).ShouldBe(matches);

    public static TheoryData<string, string, string> AwsOutputs() => new()
    {
        { "name: s3", "bucket: b", "use_put_object" },
        { "name: s3", "bucket: b\n      use_put_object: on\n      total_file_size: 100M", "from 1M to 50M" },
        { "name: s3", "use_put_object: on", "'bucket' is missing" },
        { "name: s3", "bucket: b\n      use_put_object: on\n      s3_key_format: /%Q", "without %Q" },
        { "name: s3", "bucket: b\n      use_put_object: on\n      compression: zstd", "one of: gzip" },
        { "name: s3", "bucket: b\n      use_put_object: on\n      role_arn: r", "'role_arn' is not supported" },
        { "name: s3", "bucket: b\n      use_put_object: on\n      storage.total_limit_size: 60M", "at most half" },
        { "name: kinesis_firehose", "region: eu-west-1", "'delivery_stream' is missing" },
        { "name: kinesis_firehose", "delivery_stream: d\n      compression: gzip", "'compression' is not supported" },
        { "name: kinesis_firehose", "delivery_stream: d\n      endpoint: 'ftp://x'", "an http or https url" },
        { "name: stdout", "format: msgpack", "must be 'json_lines'" },
        { "name: file", "format: csv", "one of: out_file, plain" },
    };

    [Theory]
    [MemberData(nameof(AwsOutputs))]
    public void What_an_output_does_not_honour_is_named(string name, string settings, string what)
    {
        var yaml = Good[..Good.IndexOf("    - name: kafka", StringComparison.Ordinal)] + $"    - {name}\n      match: '*'\n      retry_limit: no_limits\n      {settings}\n";
        Should.Throw<PipelineFileException>(() => Parse(yaml)).Message.ShouldContain(what);
    }

    [Fact]
    public void An_object_s_key_is_made_of_the_tag_its_parts_the_time_of_the_first_record_and_a_unique_part()
    {
        var s3 = Parse(Good[..Good.IndexOf("    - name: kafka", StringComparison.Ordinal)] + """
                - name: s3
                  match: '*'
                  retry_limit: no_limits
                  bucket: b
                  use_put_object: on
                  s3_key_format: /$TAG[1]/$TAG[9]/$TAG/%Y/%m/%d/%H_%M_%S.%3N-$UUID.gz
                  upload_timeout: 10m
            """).Outputs.Single().ShouldBeOfType<S3OutputSettings>();

        s3.Key("chat.ev%Yents", new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero), "abcd1234").ShouldBe("ev%Yents//chat.ev%Yents/2026/01/02/03_04_05.678-abcd1234.gz");
        s3.FillTime.ShouldBe(TimeSpan.FromMinutes(10));
    }

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
