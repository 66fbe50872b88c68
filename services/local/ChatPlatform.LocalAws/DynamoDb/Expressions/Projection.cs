using System.Text;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

/// <summary>
/// The part of an item that a set of paths names: members keep the item's order, list elements move together in index order
/// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ProjectionExpressions.html). Immutable.
/// </summary>
internal sealed class Projection
{
    private readonly Node _root = new();

    public Projection(IEnumerable<DocumentPath> paths)
    {
        foreach (var path in paths)
        {
            var node = _root;
            foreach (var step in path.Steps)
                node = step.Name is null ? node.Element(step.Index) : node.Member(step.Name);
        }
    }

    /// <summary>The names of the top-level attributes that are asked for.</summary>
    public IEnumerable<string> TopLevelNames => _root.Members.Select(m => Encoding.UTF8.GetString(m.Name));

    public Item Apply(Item item)
    {
        var writer = new ValueWriter();
        Members(_root, item, writer);
        return writer.ToItem();
    }

    private static void Members(Node node, Item item, ValueWriter writer)
    {
        foreach (var (name, value) in item)
        {
            if (node.Find(name.Span) is not { } child || !Matches(child, value))
                continue;
            AttributeNames.Write(writer, name.Span);
            Write(child, value, writer);
        }
    }

    private static void Write(Node node, AttributeValue value, ValueWriter writer)
    {
        if (node.IsLeaf)
        {
            writer.Write(value);
            return;
        }

        var start = writer.Begin(value.Type);
        if (value.Type == AttributeType.M)
        {
            Members(node, value.Members(), writer);
        }
        else
        {
            var elements = value.Elements();
            foreach (var (index, child) in node.Elements)
            {
                if (index < elements.Count && Matches(child, elements[index]))
                    Write(child, elements[index], writer);
            }
        }

        writer.End(start);
    }

    /// <summary>Whether anything under the node is in the value: an empty container must not appear.</summary>
    private static bool Matches(Node node, AttributeValue value)
    {
        if (node.IsLeaf)
            return true;
        if (value.Type == AttributeType.M)
        {
            var members = value.Members();
            return node.Members.Any(m => members.TryGet(m.Name, out var inner) && Matches(m.Child, inner));
        }

        if (value.Type != AttributeType.L)
            return false;
        var elements = value.Elements();
        return node.Elements.Any(e => e.Key < elements.Count && Matches(e.Value, elements[e.Key]));
    }

    private sealed class Node
    {
        public List<(byte[] Name, Node Child)> Members { get; } = [];

        public SortedDictionary<int, Node> Elements { get; } = [];

        public bool IsLeaf => Members.Count == 0 && Elements.Count == 0;

        public Node? Find(ReadOnlySpan<byte> name)
        {
            foreach (var (candidate, child) in Members)
            {
                if (name.SequenceEqual(candidate))
                    return child;
            }

            return null;
        }

        public Node Member(byte[] name)
        {
            if (Find(name) is { } known)
                return known;
            var child = new Node();
            Members.Add((name, child));
            return child;
        }

        public Node Element(int index)
        {
            if (!Elements.TryGetValue(index, out var child))
                Elements[index] = child = new Node();
            return child;
        }
    }
}
