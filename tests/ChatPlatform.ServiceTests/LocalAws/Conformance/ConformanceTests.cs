namespace ChatPlatform.ServiceTests.LocalAws.Conformance;

/// <summary>
/// What DynamoDB and its streams do, case by case, from the data files of this folder. LocalAws must answer as every case says. With the oracle at hand,
/// Amazon's DynamoDB Local must as well, but for the differences that are explained.
/// </summary>
public sealed class ConformanceTests(ConformanceServers servers) : IClassFixture<ConformanceServers>
{
    public static TheoryData<string> Cases => [.. ConformanceCase.All.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task DynamoDB_answers_as_its_documentation_says(string id)
    {
        var test = ConformanceCase.All[id];
        (await new Conversation(servers.LocalAws, test).PlayAsync())?.ToString().ShouldBeNull("LocalAws");
        if (servers.Oracle is null)
            return;

        var found = await new Conversation(servers.Oracle, test).PlayAsync();
        if (!Difference.All.TryGetValue(id, out var explained))
            found?.ToString().ShouldBeNull("DynamoDB Local differs, and differences.json does not explain it");
        else if (found is null)
            Assert.Fail("DynamoDB Local answers as the case says: the difference that differences.json explains is no more.");
        else if (!Pattern.Matches(explained.Answers, found.Found))
            found.Found.ShouldBe(explained.Answers, "DynamoDB Local differs in another way than differences.json explains");
    }
}
