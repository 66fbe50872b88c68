using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;

namespace ChatPlatform.UnitTests.Gateway;

public sealed class WebClientTests
{
    private static readonly string Root = typeof(WebClientTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;

    [NodeFact]
    public async Task The_web_clients_own_tests_pass()
    {
        using var node = Process.Start(new ProcessStartInfo("node", ["--test", Path.Combine(Root, "tests/ChatPlatform.UnitTests/Gateway/web-client.test.mjs")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = node.StandardError.ReadToEndAsync();
        var output = await node.StandardOutput.ReadToEndAsync();
        await node.WaitForExitAsync();
        node.ExitCode.ShouldBe(0, output + await error);
    }

    [Fact]
    public void The_web_client_names_no_other_host_and_writes_no_markup()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Root, "services/ChatPlatform.Gateway/wwwroot")))
        {
            var text = File.ReadAllText(file).Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal);
            Regex.IsMatch(text, @"(https?|wss?):?//\w|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|<script>|\son\w+=""|style=""").ShouldBeFalse(file);
        }
    }

    /// <summary>The web client is plain JavaScript: where node is not installed there is nothing to run it with.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class NodeFactAttribute : FactAttribute
    {
        public NodeFactAttribute()
        {
            try
            {
                using var node = Process.Start(new ProcessStartInfo("node", "--version") { RedirectStandardOutput = true })!;
                node.WaitForExit();
            }
            catch (Win32Exception)
            {
                Skip = "node is not installed";
            }
        }
    }
}
