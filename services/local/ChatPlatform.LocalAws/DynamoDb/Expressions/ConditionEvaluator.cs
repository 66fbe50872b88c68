using System.Text;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

/// <summary>Whether an item meets a condition (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html). Pure.</summary>
internal static class ConditionEvaluator
{
    public static bool Holds(Condition condition, Item item) => condition switch
    {
        AndCondition and => Holds(and.Left, item) && Holds(and.Right, item),
        OrCondition or => Holds(or.Left, item) || Holds(or.Right, item),
        NotCondition not => !Holds(not.Inner, item),
        ExistsCondition exists => exists.Path.TryResolve(item, out _) == exists.Exists,
        TypeCondition type => type.Path.TryResolve(item, out var value) && value.Type == type.Type,
        Comparison comparison => Compare(comparison, item),
        BetweenCondition between => Resolve(between.Value, item) is { } value
            && Resolve(between.Low, item) is { } low && Resolve(between.High, item) is { } high
            && Order(value, low) >= 0 && Order(value, high) <= 0,
        InCondition among => Resolve(among.Value, item) is { } value
            && among.Candidates.Any(candidate => Resolve(candidate, item) is { } other && value.ValueEquals(other)),
        BeginsWithCondition begins => Resolve(begins.Value, item) is { Type: AttributeType.S or AttributeType.B } value
            && Resolve(begins.Prefix, item) is { } prefix && prefix.Type == value.Type && value.PayloadSpan.StartsWith(prefix.PayloadSpan),
        ContainsCondition contains => Resolve(contains.Value, item) is { } value && Resolve(contains.Element, item) is { } element && Contains(value, element),
        _ => throw new InvalidOperationException($"{condition.GetType().Name} has no meaning."),
    };

    private static bool Compare(Comparison comparison, Item item)
    {
        var left = Resolve(comparison.Left, item);
        var right = Resolve(comparison.Right, item);
        if (left is not { } a || right is not { } b)
            return comparison.Comparator == Comparator.NotEqual;
        return comparison.Comparator switch
        {
            Comparator.Equal => a.ValueEquals(b),
            Comparator.NotEqual => !a.ValueEquals(b),
            Comparator.Less => Order(a, b) < 0,
            Comparator.LessOrEqual => Order(a, b) <= 0,
            Comparator.Greater => Order(a, b) > 0,
            _ => Order(a, b) >= 0,
        };
    }

    /// <summary>Below, at or above zero; null (so that no comparison holds) for types without an order or of two types.</summary>
    private static int? Order(AttributeValue a, AttributeValue b) =>
        a.Type == b.Type && a.Type is AttributeType.S or AttributeType.N or AttributeType.B && a.Type == b.Type ? a.PayloadSpan.SequenceCompareTo(b.PayloadSpan) : null;

    private static bool Contains(AttributeValue value, AttributeValue element)
    {
        switch (value.Type)
        {
            case AttributeType.S or AttributeType.B:
                return element.Type == value.Type && value.PayloadSpan.IndexOf(element.PayloadSpan) >= 0;
            case AttributeType.L:
                return value.Elements().Any(e => e.ValueEquals(element));
            case AttributeType.SS or AttributeType.NS or AttributeType.BS:
                var member = value.Type switch { AttributeType.SS => AttributeType.S, AttributeType.NS => AttributeType.N, _ => AttributeType.B };
                if (element.Type != member)
                    return false;
                foreach (var candidate in value.SetElements())
                {
                    if (candidate.Span.SequenceEqual(element.PayloadSpan))
                        return true;
                }

                return false;
            default:
                return false;
        }
    }

    private static AttributeValue? Resolve(Operand operand, Item item)
    {
        switch (operand)
        {
            case ValueOperand value:
                return value.Value;
            case PathOperand path:
                return path.Path.TryResolve(item, out var found) ? found : null;
            case SizeOperand size:
                return size.Path.TryResolve(item, out var measured) && Size(measured) is { } count
                    ? AttributeValue.Create(AttributeType.N, DynamoNumber.Encode(count))
                    : null;
            default:
                throw new InvalidOperationException($"{operand.GetType().Name} is not part of a condition.");
        }
    }

    /// <summary>Length of a string in characters, of a binary in bytes, of a collection in elements; other types have none.</summary>
    private static long? Size(AttributeValue value) => value.Type switch
    {
        AttributeType.S => Encoding.UTF8.GetCharCount(value.PayloadSpan),
        AttributeType.B => value.PayloadSpan.Length,
        AttributeType.L => value.Elements().Count,
        AttributeType.M => value.Members().Count(),
        AttributeType.SS or AttributeType.NS or AttributeType.BS => value.SetElements().Count,
        _ => null,
    };
}
