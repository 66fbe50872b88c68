using ChatPlatform.AwsRules;

namespace ChatPlatform.UnitTests;

public sealed class RuleTableTests
{
    /// <summary>Each part and the least number of its rules.</summary>
    [Theory]
    [InlineData("LambdaEmulator", 120)]
    [InlineData("CdcLambda", 30)]
    [InlineData("LocalAws.Firehose", 150)]
    public void Every_rule_names_the_page_of_AWS_it_comes_from(string part, int least)
    {
        var rules = RuleTables.Rules(typeof(RuleTableTests).Assembly, $"{nameof(ChatPlatform)}.{nameof(UnitTests)}.{part}");

        rules.Where(rule => !rule.IsSourced).ShouldBeEmpty();
        rules.Count.ShouldBeGreaterThanOrEqualTo(least);
    }
}
