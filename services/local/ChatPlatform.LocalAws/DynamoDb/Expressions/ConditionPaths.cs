using System.Text;

namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

/// <summary>Which attributes a condition speaks of.</summary>
internal static class ConditionPaths
{
    /// <summary>The top-level names, with repetitions.</summary>
    public static IEnumerable<string> Roots(Condition condition) => condition switch
    {
        AndCondition and => Roots(and.Left).Concat(Roots(and.Right)),
        OrCondition or => Roots(or.Left).Concat(Roots(or.Right)),
        NotCondition not => Roots(not.Inner),
        Comparison comparison => Roots(comparison.Left, comparison.Right),
        BetweenCondition between => Roots(between.Value, between.Low, between.High),
        InCondition among => Roots([among.Value, .. among.Candidates]),
        ExistsCondition exists => [Name(exists.Path)],
        TypeCondition type => [Name(type.Path)],
        BeginsWithCondition begins => Roots(begins.Value, begins.Prefix),
        ContainsCondition contains => Roots(contains.Value, contains.Element),
        _ => throw new InvalidOperationException($"{condition.GetType().Name} has no meaning."),
    };

    private static IEnumerable<string> Roots(params Operand[] operands) => operands.Select(o => o switch
    {
        PathOperand path => Name(path.Path),
        SizeOperand size => Name(size.Path),
        _ => null,
    }).OfType<string>();

    private static string Name(DocumentPath path) => Encoding.UTF8.GetString(path.Root);
}
