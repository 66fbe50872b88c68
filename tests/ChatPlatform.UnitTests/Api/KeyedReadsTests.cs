using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Sessions;
using ChatPlatform.Api.Tables;

namespace ChatPlatform.UnitTests.Api;

public sealed class KeyedReadsTests
{
    private readonly List<List<string>> _calls = [];
    private readonly TaskCompletionSource _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly KeyedReads _reads;

    public KeyedReadsTests() => _reads = new KeyedReads(GetAsync, item => item.Text("id"));

    [Fact]
    public async Task Reads_asked_for_while_calls_are_under_way_go_out_together_each_key_once()
    {
        var reads = Enumerable.Range(0, 1_000).Select(i => ReadAsync($"k{i % 250}")).ToList();
        _answer.SetResult();

        var items = await Task.WhenAll(reads).WaitAsync(TimeSpan.FromSeconds(20));

        items.Select((item, i) => item!.Text("id") == $"k{i % 250}").ShouldAllBe(right => right);
        _calls.Count.ShouldBeLessThan(20);
        _calls.ShouldAllBe(call => call.Count <= 100 && call.Distinct().Count() == call.Count);
    }

    [Fact]
    public async Task What_does_not_exist_is_null_and_does_not_disturb_the_others()
    {
        _answer.SetResult();

        (await ReadAsync("absent")).ShouldBeNull();
        (await ReadAsync("k1")).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_failed_call_fails_its_reads_and_no_later_one()
    {
        _answer.SetResult();

        await Should.ThrowAsync<InvalidOperationException>(ReadAsync("fails"));
        (await ReadAsync("k1")).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_read_is_never_answered_by_a_call_that_began_before_it()
    {
        var first = ReadAsync("k1");
        while (Count() == 0)
            await Task.Yield();
        var second = ReadAsync("k1");
        _answer.SetResult();

        await Task.WhenAll(first, second).WaitAsync(TimeSpan.FromSeconds(20));

        Count().ShouldBe(2);
    }

    private Task<Dictionary<string, AttributeValue>?> ReadAsync(string id) => _reads.ReadAsync(id, new() { ["id"] = Attributes.S(id) });

    private int Count()
    {
        lock (_calls)
            return _calls.Count;
    }

    private async Task<List<Dictionary<string, AttributeValue>>> GetAsync(List<Dictionary<string, AttributeValue>> keys)
    {
        lock (_calls)
            _calls.Add(keys.ConvertAll(key => key.Text("id")));
        await _answer.Task;
        if (keys.Any(key => key.Text("id") == "fails"))
            throw new InvalidOperationException("the table is away");
        return keys.Where(key => key.Text("id") != "absent").ToList();
    }
}
