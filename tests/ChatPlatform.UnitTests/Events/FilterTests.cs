using System.Buffers;
using System.Diagnostics.Metrics;
using System.Text;
using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Delivery;
using ChatPlatform.Forwarder.Filters;
using ChatPlatform.Forwarder.Outputs;
using MessagePack;
using Microsoft.Extensions.DependencyInjection;
using Record = ChatPlatform.Forwarder.Outputs.Record;

namespace ChatPlatform.UnitTests.Events;

/// <summary>Rows are from Fluent Bit's pages (pipeline/filters/grep, modify, record-modifier) and, where a page is silent, its code.</summary>
public sealed class FilterTests
{
    private const string Log = """{"log":"error 42","level":"warn","kubernetes":{"labels":["a","web"]},"ok":true}""";

    [Theory]
    [InlineData("regex: log error", true)]
    [InlineData("regex: log ^42", false)]
    [InlineData("regex: missing .*", false)]
    [InlineData("exclude: missing .*", true)]
    [InlineData("exclude: log \\d+", false)]
    [InlineData("regex: ok true", false)] // not a string
    [InlineData("regex: $kubernetes['labels'][1] ^web$", true)]
    [InlineData("regex: $kubernetes['labels'][2] .*", false)]
    [InlineData("regex: [log error, level nothing]", true)] // legacy: the first regex decides
    [InlineData("regex: [log nothing, level warn]", false)]
    [InlineData("exclude: level warn\n  regex: log error", false)]
    [InlineData("logical_op: AND\n  regex: [log error, level warn]", true)]
    [InlineData("logical_op: AND\n  regex: [log error, level nothing]", false)]
    [InlineData("logical_op: or\n  regex: [log nothing, level warn]", true)]
    [InlineData("logical_op: AND\n  exclude: [log error, level nothing]", true)]
    [InlineData("logical_op: OR\n  exclude: [log nothing, level warn]", false)]
    public void Grep_keeps_and_drops(string rules, bool kept) => Apply("grep", rules, Log).ShouldBe(kept ? Log : null);

    [Theory]
    [InlineData("set: a x", """{"a":"x","b":"2","c":true}""")]
    [InlineData("set: d \"two words\"", """{"a":"1","b":"2","c":true,"d":"two words"}""")]
    [InlineData("set: d two words", """{"a":"1","b":"2","c":true,"d":"two words"}""")]
    [InlineData("add: a x", """{"a":"1","b":"2","c":true}""")]
    [InlineData("add: 🔥 x", """{"a":"1","b":"2","c":true,"🔥":"x"}""")]
    [InlineData("remove: b", """{"a":"1","c":true}""")]
    [InlineData("remove_regex: ^[ab]$", """{"c":true}""")]
    [InlineData("rename: a z", """{"z":"1","b":"2","c":true}""")]
    [InlineData("rename: a b", """{"a":"1","b":"2","c":true}""")]
    [InlineData("hard_rename: a b", """{"b":"1","c":true}""")]
    [InlineData("rename: missing b", """{"a":"1","b":"2","c":true}""")]
    [InlineData("copy: a z", """{"a":"1","b":"2","c":true,"z":"1"}""")]
    [InlineData("copy: a b", """{"a":"1","b":"2","c":true}""")]
    [InlineData("hard_copy: a b", """{"a":"1","c":true,"b":"1"}""")]
    [InlineData("move_to_start: c", """{"c":true,"a":"1","b":"2"}""")]
    [InlineData("move_to_end: a", """{"b":"2","c":true,"a":"1"}""")]
    [InlineData("add: z 1\n  rename: z y\n  remove_wildcard: a", """{"b":"2","c":true,"y":"1"}""")] // in the order of the file
    [InlineData("condition: key_exists a\n  remove: b", """{"a":"1","c":true}""")]
    [InlineData("condition: Key_Does_Not_Exist a\n  remove: b", """{"a":"1","b":"2","c":true}""")]
    [InlineData("condition: a_key_matches ^c\n  remove: b", """{"a":"1","c":true}""")]
    [InlineData("condition: no_key_matches ^z\n  remove: b", """{"a":"1","c":true}""")]
    [InlineData("condition: key_value_equals a 1\n  remove: b", """{"a":"1","c":true}""")]
    [InlineData("condition: key_value_equals c true\n  remove: b", """{"a":"1","c":true}""")]
    [InlineData("condition: key_value_does_not_equal missing 1\n  remove: b", """{"a":"1","b":"2","c":true}""")]
    [InlineData("condition: key_value_matches a ^[0-9]$\n  remove: b", """{"a":"1","c":true}""")]
    [InlineData("condition: key_value_does_not_match a ^[0-9]$\n  remove: b", """{"a":"1","b":"2","c":true}""")]
    [InlineData("condition: matching_keys_have_matching_values ^[ab]$ ^[12]$\n  remove: b", """{"a":"1","c":true}""")]
    [InlineData("condition: matching_keys_do_not_have_matching_values ^[ab]$ ^2$\n  remove: b", """{"a":"1","b":"2","c":true}""")]
    [InlineData("condition: [key_exists a, key_exists z]\n  remove: b", """{"a":"1","b":"2","c":true}""")] // all must hold
    public void Modify_changes_records(string rules, string expected) => Apply("modify", rules, """{"a":"1","b":"2","c":true}""").ShouldBe(expected);

    [Theory]
    [InlineData("record: host web-1", """{"Mem.total":1,"Mem.used":2,"Swap.total":3,"host":"web-1"}""")]
    [InlineData("record: [host web-1, product Awesome Tool]", """{"Mem.total":1,"Mem.used":2,"Swap.total":3,"host":"web-1","product":"Awesome Tool"}""")]
    [InlineData("remove_key: swap.total", """{"Mem.total":1,"Mem.used":2}""")]
    [InlineData("remove_key: [Mem*, nothing]", """{"Swap.total":3}""")]
    [InlineData("allowlist_key: Mem.used", """{"Mem.used":2}""")]
    [InlineData("whitelist_key: Mem*\n  record: a b", """{"Mem.total":1,"Mem.used":2,"a":"b"}""")]
    [InlineData("allowlist_key: nothing", null)]
    public void Record_modifier_appends_and_removes(string rules, string? expected) =>
        Apply("record_modifier", rules, """{"Mem.total":1,"Mem.used":2,"Swap.total":3}""").ShouldBe(expected);

    [Fact]
    public void A_uuid_is_another_one_in_every_record()
    {
        var first = Apply("record_modifier", "uuid_key: id", "{}")!;
        first.ShouldMatch("""^\{"id":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"\}$""");
        Apply("record_modifier", "uuid_key: id", "{}").ShouldNotBe(first);
    }

    [Fact]
    public void Filters_take_their_tags_only_in_the_order_of_the_file_and_leave_other_entries_bytes_alone()
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var metrics = new ForwarderMetrics(services.GetRequiredService<IMeterFactory>());
        var pipeline = Parse("""
                - name: modify
                  match: chat.*
                  add: stage one
                - name: grep
                  match: chat.*
                  exclude: event secret
                - name: modify
                  match_regex: chat\.events$
                  condition: key_value_equals stage one
                  rename: stage passed
            """);
        var chain = new FilterChain(pipeline.Filters, metrics);
        byte[] entries = [.. ForwardMessages.Entry("r1", "hello"), .. ForwardMessages.Entry("r2", "a secret"), .. ForwardMessages.Entry("r3", "안녕")];

        var count = 3;
        chain.Apply("other", entries, ref count).ToArray().ShouldBe(entries);
        count.ShouldBe(3);

        Texts("chat.events", chain.Apply("chat.events", entries, ref count))
            .ShouldBe(["""{"key":"r1","event":"hello","passed":"one"}""", """{"key":"r3","event":"안녕","passed":"one"}"""]);
        count.ShouldBe(2);
        metrics.Filters["grep.1"].Dropped.ShouldBe(1);
    }

    private static string? Apply(string name, string rules, string json)
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var metrics = new ForwarderMetrics(services.GetRequiredService<IMeterFactory>());
        var pipeline = Parse($"    - name: {name}\n      match: '*'\n      {rules.Replace("\n", "\n    ")}\n");
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer);
        writer.WriteArrayHeader(2);
        writer.Write(1_700_000_000);
        writer.WriteRaw(MessagePackSerializer.ConvertFromJson(json));
        writer.Flush();
        var count = 1;
        var left = new FilterChain(pipeline.Filters, metrics).Apply("t", buffer.WrittenMemory, ref count);
        return Texts("t", left).SingleOrDefault();
    }

    private static IReadOnlyList<string> Texts(string tag, ReadOnlyMemory<byte> entries)
    {
        var frame = new ArrayBufferWriter<byte>();
        Forwarder.Forward.ChunkFrame.Write(frame, tag, entries.Span);
        var records = new List<Record>();
        Record.Read(frame.WrittenMemory, new TagPattern("*"), records);
        return [.. records.Select(record => Encoding.UTF8.GetString(RecordJson.Write(record)).Replace("\\uD83D\\uDD25", "🔥"))];
    }

    private static Pipeline Parse(string filters) => Pipeline.Parse(
        $"""
        service:
          storage.path: /tmp/chunks
        pipeline:
          inputs:
            - name: forward
              storage.type: filesystem
          filters:
        {filters}
          outputs:
            - name: 'null'
              match: '*'
              retry_limit: no_limits
        """,
        "test.yaml",
        _ => null);
}
