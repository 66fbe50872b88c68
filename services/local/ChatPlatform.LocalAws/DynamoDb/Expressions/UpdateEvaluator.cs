using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

/// <summary>
/// Carries out an update expression (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html).
/// Every right-hand side and every list index speaks of the item as it was before the update. Pure: gives a new item.
/// </summary>
internal static class UpdateEvaluator
{
    /// <exception cref="AwsException">ValidationException: a path leads nowhere, or an operand has the wrong type.</exception>
    public static Item Apply(Item item, IReadOnlyList<UpdateAction> actions)
    {
        var root = new MapNode(item);
        foreach (var action in actions)
        {
            switch (action)
            {
                case SetAction set:
                    Parent(root, set.Path).Set(set.Path.Steps[^1], Evaluate(set.Value, item));
                    break;
                case RemoveAction remove:
                    if (remove.Path.IsTopLevel || remove.Path.TryResolve(item, out _))
                        Parent(root, remove.Path).Remove(remove.Path.Steps[^1]);
                    else
                        Parent(root, remove.Path);
                    break;
                case AddAction add:
                    Parent(root, add.Path).Set(add.Path.Steps[^1], add.Path.TryResolve(item, out var before) ? Sum(before, add.Value) : add.Value);
                    break;
                case DeleteAction delete:
                    if (!delete.Path.TryResolve(item, out var set2))
                        break;
                    if (Difference(set2, delete.Value) is { } rest)
                        Parent(root, delete.Path).Set(delete.Path.Steps[^1], rest);
                    else
                        Parent(root, delete.Path).Remove(delete.Path.Steps[^1]);
                    break;
            }
        }

        var writer = new ValueWriter(item.Encoded.Length + 128);
        root.WriteMembers(writer);
        return writer.ToItem();
    }

    private static AttributeValue Evaluate(Operand operand, Item item)
    {
        switch (operand)
        {
            case ValueOperand value:
                return value.Value;
            case PathOperand path:
                return path.Path.TryResolve(item, out var found)
                    ? found
                    : throw DynamoDbErrors.Validation("The provided expression refers to an attribute that does not exist in the item");
            case IfNotExistsOperand otherwise:
                return otherwise.Path.TryResolve(item, out var present) ? present : Evaluate(otherwise.Otherwise, item);
            case SumOperand sum:
                var (left, right) = (Evaluate(sum.Left, item), Evaluate(sum.Right, item));
                if (left.Type != AttributeType.N || right.Type != AttributeType.N)
                    throw WrongOperand();
                return AttributeValue.Create(AttributeType.N, DynamoNumber.Add(left.PayloadSpan, right.PayloadSpan, sum.Subtract));
            case ListAppendOperand append:
                var (first, second) = (Evaluate(append.First, item), Evaluate(append.Second, item));
                if (first.Type != AttributeType.L || second.Type != AttributeType.L)
                    throw WrongOperand();
                return AttributeValue.Create(AttributeType.L, [.. first.PayloadSpan, .. second.PayloadSpan]);
            default:
                throw new InvalidOperationException($"{operand.GetType().Name} is not part of an update.");
        }
    }

    private static AttributeValue Sum(AttributeValue before, AttributeValue added)
    {
        if (before.Type != added.Type)
            throw WrongOperand();
        if (before.Type == AttributeType.N)
            return AttributeValue.Create(AttributeType.N, DynamoNumber.Add(before.PayloadSpan, added.PayloadSpan, subtract: false));
        return Set(before.Type, before.SetElements().Concat(added.SetElements()));
    }

    private static AttributeValue? Difference(AttributeValue before, AttributeValue deleted)
    {
        if (before.Type != deleted.Type)
            throw WrongOperand();
        var gone = deleted.SetElements();
        var rest = before.SetElements().Where(e => !gone.Exists(g => g.Span.SequenceEqual(e.Span))).ToList();
        return rest.Count == 0 ? null : Set(before.Type, rest);
    }

    private static AttributeValue Set(AttributeType type, IEnumerable<ReadOnlyMemory<byte>> elements)
    {
        var sorted = elements.ToList();
        sorted.Sort(static (a, b) => a.Span.SequenceCompareTo(b.Span));
        var writer = new ValueWriter();
        for (var i = 0; i < sorted.Count; i++)
        {
            if (i == 0 || !sorted[i - 1].Span.SequenceEqual(sorted[i].Span))
                writer.WriteBlock(sorted[i].Span);
        }

        return AttributeValue.Create(type, writer.Written);
    }

    /// <summary>The container that the last step of a path speaks of.</summary>
    private static ContainerNode Parent(MapNode root, DocumentPath path)
    {
        ContainerNode node = root;
        foreach (var step in path.Steps.AsSpan(0, path.Steps.Length - 1))
            node = node.Open(step) ?? throw InvalidPath();
        return node.Accepts(path.Steps[^1]) ? node : throw InvalidPath();
    }

    private static AwsException InvalidPath() => DynamoDbErrors.Validation("The document path provided in the update expression is invalid for update");

    private static AwsException WrongOperand() => DynamoDbErrors.Validation("An operand in the update expression has an incorrect data type");

    /// <summary>A map or list that is being changed; untouched values stay encoded.</summary>
    private abstract class ContainerNode
    {
        public abstract bool Accepts(PathStep step);

        /// <summary>The container at a step, made changeable; null when there is none.</summary>
        public abstract ContainerNode? Open(PathStep step);

        public abstract void Set(PathStep step, AttributeValue value);

        public abstract void Remove(PathStep step);

        public abstract void Write(ValueWriter writer);

        protected static ContainerNode? Open(ref Entry entry)
        {
            if (entry.Node is null)
            {
                entry.Node = entry.Value.Type switch
                {
                    AttributeType.M => new MapNode(entry.Value.Members()),
                    AttributeType.L => new ListNode(entry.Value.Elements()),
                    _ => null,
                };
            }

            return entry.Node;
        }

        protected static void Write(in Entry entry, ValueWriter writer)
        {
            if (entry.Node is not null)
                entry.Node.Write(writer);
            else
                writer.Write(entry.Value);
        }

        protected struct Entry(AttributeValue value)
        {
            public AttributeValue Value = value;
            public ContainerNode? Node;
        }
    }

    private sealed class MapNode : ContainerNode
    {
        private readonly List<(ReadOnlyMemory<byte> Name, Entry Entry)> _members = [];

        public MapNode(Item item)
        {
            foreach (var (name, value) in item)
                _members.Add((name, new Entry(value)));
        }

        public override bool Accepts(PathStep step) => step.Name is not null;

        public override ContainerNode? Open(PathStep step)
        {
            var index = IndexOf(step.Name);
            if (index < 0)
                return null;
            var (name, entry) = _members[index];
            var node = Open(ref entry);
            _members[index] = (name, entry);
            return node;
        }

        public override void Set(PathStep step, AttributeValue value)
        {
            var index = IndexOf(step.Name);
            if (index < 0)
                _members.Add((step.Name, new Entry(value)));
            else
                _members[index] = (_members[index].Name, new Entry(value));
        }

        public override void Remove(PathStep step)
        {
            var index = IndexOf(step.Name);
            if (index >= 0)
                _members.RemoveAt(index);
        }

        public override void Write(ValueWriter writer)
        {
            var start = writer.Begin(AttributeType.M);
            WriteMembers(writer);
            writer.End(start);
        }

        public void WriteMembers(ValueWriter writer)
        {
            foreach (var (name, entry) in _members)
            {
                AttributeNames.Write(writer, name.Span);
                Write(in entry, writer);
            }
        }

        private int IndexOf(byte[]? name) => name is null ? -1 : _members.FindIndex(m => m.Name.Span.SequenceEqual(name));
    }

    private sealed class ListNode : ContainerNode
    {
        private readonly Entry[] _elements;
        private readonly bool[] _removed;

        /// <summary>Elements set behind the end: they follow in the order of their indexes, without holes.</summary>
        private readonly SortedDictionary<int, AttributeValue> _appended = [];

        public ListNode(List<AttributeValue> elements)
        {
            _elements = elements.ConvertAll(e => new Entry(e)).ToArray();
            _removed = new bool[_elements.Length];
        }

        public override bool Accepts(PathStep step) => step.Name is null;

        public override ContainerNode? Open(PathStep step) =>
            step.Name is null && step.Index < _elements.Length ? Open(ref _elements[step.Index]) : null;

        public override void Set(PathStep step, AttributeValue value)
        {
            if (step.Index < _elements.Length)
                _elements[step.Index] = new Entry(value);
            else
                _appended[step.Index] = value;
        }

        public override void Remove(PathStep step)
        {
            if (step.Index < _elements.Length)
                _removed[step.Index] = true;
        }

        public override void Write(ValueWriter writer)
        {
            var start = writer.Begin(AttributeType.L);
            for (var i = 0; i < _elements.Length; i++)
            {
                if (!_removed[i])
                    Write(in _elements[i], writer);
            }

            foreach (var value in _appended.Values)
                writer.Write(value);
            writer.End(start);
        }
    }
}
