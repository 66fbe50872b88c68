using System.Reflection;
using System.Text;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.UnitTests.LocalAws;

public sealed class ReadmeTests
{
    private const string Begin = "<!-- operations: begin -->\n";
    private const string End = "<!-- operations: end -->\n";

    [Fact]
    public async Task The_README_lists_the_operations_and_parameters_that_the_code_honours()
    {
        await using var aws = new LocalAwsServices(null, TimeProvider.System);
        var root = typeof(ReadmeTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;
        var path = Path.Combine(root, "services/local/ChatPlatform.LocalAws/README.md");
        var text = await File.ReadAllTextAsync(path);
        var (begin, end) = (text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, text.IndexOf(End, StringComparison.Ordinal));
        end.ShouldBeGreaterThanOrEqualTo(begin, "the README has lost its marks");
        var tables = Tables(aws.Get<RunningServices>().All);
        if (Environment.GetEnvironmentVariable("LOCALAWS_README") == "write")
        {
            await File.WriteAllTextAsync(path, text[..begin] + tables + text[end..]);
            return;
        }

        text[begin..end].ShouldBe(tables, "the README is not what the code says; LOCALAWS_README=write ./dev test FullyQualifiedName~ReadmeTests rewrites it");
    }

    private static string Tables(IEnumerable<IAwsService> services)
    {
        var text = new StringBuilder();
        foreach (var service in services)
        {
            text.Append($"\n### {service.Title}\n\n| operation | honours |\n|---|---|\n");
            foreach (var operation in service.Operations)
                text.Append($"| {operation.Name} | {(operation.Parameters.Count == 0 ? "–" : string.Join(", ", operation.Parameters.Select(p => $"`{p}`")))} |\n");
        }

        return text.Append('\n').ToString();
    }
}
