using System.Reflection;
using Xunit.Sdk;

namespace ChatPlatform.AwsRules;

/// <summary>
/// The page of AWS that every row of a table of rules comes from. A table whose rows come from several has the page as each row's first column, <c>source</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class AwsPageAttribute(string url) : Attribute
{
    public string Url => url;
}

/// <summary>A table of what is ours to decide, a setting of our own for instance, and on no page of AWS.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class OwnRulesAttribute : Attribute;

/// <summary>One row of a table.</summary>
/// <param name="Page">Null when the table names none.</param>
internal sealed record Rule(string Table, string? Page)
{
    public bool IsSourced => Page?.StartsWith("https://docs.aws.amazon.com/", StringComparison.Ordinal) == true;
}

internal static class RuleTables
{
    /// <summary>Every row of every theory in a namespace of an assembly, but those of <see cref="OwnRulesAttribute"/>.</summary>
    public static IReadOnlyList<Rule> Rules(Assembly assembly, string inNamespace) =>
    [
        .. from type in assembly.GetTypes()
           where type.Namespace == inNamespace
           from method in type.GetMethods()
           where method.IsDefined(typeof(TheoryAttribute)) && !method.IsDefined(typeof(OwnRulesAttribute))
           let page = method.GetCustomAttribute<AwsPageAttribute>()?.Url
           let hasSource = method.GetParameters()[0].Name == "source"
           from row in method.GetCustomAttributes<DataAttribute>().SelectMany(data => data.GetData(method))
           select new Rule($"{type.Name}.{method.Name}", page ?? (hasSource ? row[0] as string : null)),
    ];
}
