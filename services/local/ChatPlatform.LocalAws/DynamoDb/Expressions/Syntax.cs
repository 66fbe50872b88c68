using System.Text;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

/// <summary>One step of a path: a member's name, or a list's index when <see cref="Name"/> is null.</summary>
internal readonly record struct PathStep(byte[]? Name, int Index)
{
    public bool Matches(PathStep other) => Name is null ? other.Name is null && Index == other.Index : other.Name is not null && Name.AsSpan().SequenceEqual(other.Name);
}

/// <summary><c>a.b[2]</c> with its placeholders replaced. Never empty; the first step is a name.</summary>
internal sealed record DocumentPath(PathStep[] Steps)
{
    public byte[] Root => Steps[0].Name!;

    public bool IsTopLevel => Steps.Length == 1;

    public bool SameAs(DocumentPath other) => Steps.Length == other.Steps.Length && StartsLike(other);

    /// <summary>Whether one path is the other, or leads into it.</summary>
    public bool Overlaps(DocumentPath other) => StartsLike(other);

    /// <summary>Whether both go through one value, once as a map and once as a list.</summary>
    public bool ConflictsWith(DocumentPath other)
    {
        for (var i = 0; i < Math.Min(Steps.Length, other.Steps.Length); i++)
        {
            if ((Steps[i].Name is null) != (other.Steps[i].Name is null))
                return true;
            if (!Steps[i].Matches(other.Steps[i]))
                return false;
        }

        return false;
    }

    public bool TryResolve(Item item, out AttributeValue value)
    {
        if (!item.TryGet(Root, out value))
            return false;
        foreach (var step in Steps.AsSpan(1))
        {
            if (step.Name is not null)
            {
                if (value.Type != AttributeType.M || !value.Members().TryGet(step.Name, out value))
                    return false;
            }
            else
            {
                if (value.Type != AttributeType.L || value.Elements() is not { } elements || step.Index >= elements.Count)
                    return false;
                value = elements[step.Index];
            }
        }

        return true;
    }

    /// <summary>As error messages show a path: <c>[a, b, [2]]</c>.</summary>
    public override string ToString() =>
        $"[{string.Join(", ", Steps.Select(s => s.Name is null ? $"[{s.Index}]" : Encoding.UTF8.GetString(s.Name)))}]";

    private bool StartsLike(DocumentPath other)
    {
        for (var i = 0; i < Math.Min(Steps.Length, other.Steps.Length); i++)
        {
            if (!Steps[i].Matches(other.Steps[i]))
                return false;
        }

        return true;
    }
}

/// <summary>What stands beside a comparison, or on the right of SET.</summary>
internal abstract record Operand;

internal sealed record PathOperand(DocumentPath Path) : Operand;

internal sealed record ValueOperand(AttributeValue Value) : Operand;

/// <summary><c>size(path)</c>.</summary>
internal sealed record SizeOperand(DocumentPath Path) : Operand;

/// <summary><c>if_not_exists(path, otherwise)</c>, in SET only.</summary>
internal sealed record IfNotExistsOperand(DocumentPath Path, Operand Otherwise) : Operand;

/// <summary><c>list_append(first, second)</c>, in SET only.</summary>
internal sealed record ListAppendOperand(Operand First, Operand Second) : Operand;

/// <summary><c>a + b</c> or <c>a - b</c>, in SET only.</summary>
internal sealed record SumOperand(Operand Left, Operand Right, bool Subtract) : Operand;

internal enum Comparator
{
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// <summary>A condition or filter.</summary>
internal abstract record Condition;

internal sealed record AndCondition(Condition Left, Condition Right) : Condition;

internal sealed record OrCondition(Condition Left, Condition Right) : Condition;

internal sealed record NotCondition(Condition Inner) : Condition;

internal sealed record Comparison(Comparator Comparator, Operand Left, Operand Right) : Condition;

internal sealed record BetweenCondition(Operand Value, Operand Low, Operand High) : Condition;

internal sealed record InCondition(Operand Value, List<Operand> Candidates) : Condition;

internal sealed record ExistsCondition(DocumentPath Path, bool Exists) : Condition;

internal sealed record TypeCondition(DocumentPath Path, AttributeType Type) : Condition;

internal sealed record BeginsWithCondition(Operand Value, Operand Prefix) : Condition;

internal sealed record ContainsCondition(Operand Value, Operand Element) : Condition;

/// <summary>One action of an update expression.</summary>
internal abstract record UpdateAction(DocumentPath Path);

internal sealed record SetAction(DocumentPath Path, Operand Value) : UpdateAction(Path);

internal sealed record RemoveAction(DocumentPath Path) : UpdateAction(Path);

internal sealed record AddAction(DocumentPath Path, AttributeValue Value) : UpdateAction(Path);

internal sealed record DeleteAction(DocumentPath Path, AttributeValue Value) : UpdateAction(Path);
