using System.Diagnostics;
using ChatPlatform.Smoke;
using ChatPlatform.Smoke.Checks;
using ChatPlatform.Smoke.Running;

namespace ChatPlatform.UnitTests.Smoke;

public sealed class SmokeRunTests
{
    [Fact]
    public void A_running_system_is_named_by_its_endpoints()
    {
        var arguments = SmokeArguments.Parse(
            ["--gateway", "http://127.0.0.1:1", "--aws", "http://127.0.0.1:2", "--kafka", "127.0.0.1:3", "--fcm", "http://127.0.0.1:4", "--patience", "5"]);
        arguments.AppHost.ShouldBeNull();
        arguments.Running!.KafkaBootstrap.ShouldBe("127.0.0.1:3");
        arguments.Running.DashboardUrl.ShouldBeNull();
        arguments.Patience.ShouldBe(TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData("--gateway is missing")]
    [InlineData("'--what' is no argument", "--what", "x")]
    [InlineData("--apphost needs a value", "--apphost")]
    [InlineData("--apphost is '/no/such/file'", "--apphost", "/no/such/file")]
    [InlineData("--patience is 'soon'", "--patience", "soon")]
    [InlineData("--gateway is 'here'", "--gateway", "here")]
    [InlineData("--conversation is '/no/such/file'", "--conversation", "/no/such/file")]
    public void A_wrong_argument_is_named(string expected, params string[] words) =>
        Should.Throw<FormatException>(() => SmokeArguments.Parse(words)).Message.ShouldContain(expected);

    [Fact]
    public void The_last_line_is_made_for_machines()
    {
        CheckResult[] results = [new("a", true, "", TimeSpan.Zero), new("b", false, "first\nsecond", TimeSpan.FromSeconds(1.5))];
        CheckTable.ResultLine(results, TimeSpan.FromSeconds(18.24), 1543.6, 21)
            .ShouldBe("RESULT smoke checks_passed=1 checks_failed=1 start_s=18.2 rss_mb=1544 processes=21");

        var table = new StringWriter();
        CheckTable.Write(table, results);
        table.ToString().ShouldContain("b  FAILED    1.50s  first second");
    }

    [Fact]
    public async Task A_check_that_throws_fails_with_the_reason_and_one_that_hangs_with_the_limit()
    {
        var thrown = await SmokeChecks.RunAsync("x", _ => throw new HttpRequestException("refused"), TimeSpan.FromSeconds(5), default);
        (thrown.Ok, thrown.Detail).ShouldBe((false, "HttpRequestException: refused"));

        var hung = await SmokeChecks.RunAsync("y", async token => { await Task.Delay(Timeout.Infinite, token); return ""; }, TimeSpan.FromMilliseconds(20), default);
        hung.Ok.ShouldBeFalse();
        hung.Detail.ShouldStartWith("not done after");
    }

    [Fact]
    public void A_process_name_may_hold_blanks_and_parentheses()
    {
        var process = ProcessTree.Parse(7, "7 (a) (b c) S 3 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 1000 25 18446744073709551615 1 1", 4096);
        process.ShouldBe(new TreeProcess(7, 3, 4242, "a) (b c", 25 * 4096));
        ProcessTree.Parse(8, "8 (dead) Z 3 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 0 0 0", 4096).ShouldBeNull();
    }

    [Fact]
    public async Task A_tree_holds_the_children_and_knows_when_they_are_gone()
    {
        using var shell = Process.Start(new ProcessStartInfo("sh", ["-c", "sleep 60 & wait"]))!;
        try
        {
            IReadOnlyList<TreeProcess> tree = [];
            await WaitAsync(() => (tree = ProcessTree.Of(shell.Id)).Any(process => process.Name == "sleep"));
            tree[0].Id.ShouldBe(shell.Id);

            shell.Kill(entireProcessTree: true);
            await shell.WaitForExitAsync();
            await WaitAsync(() => ProcessTree.StillRunning(tree).Count == 0);
        }
        finally
        {
            shell.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public void Ports_are_all_different() => FreePorts.Take(15).Distinct().Count().ShouldBe(15);

    private static async Task WaitAsync(Func<bool> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
            await Task.Delay(20);
        }
    }
}
