using System.Text;
using ChatPlatform.LocalAws.DynamoDb.Expressions;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

internal enum WriteKind
{
    Put,
    Update,
    Delete,
    Check,
}

/// <summary>
/// One write, parsed and checked as far as that is possible without the item: PutItem, UpdateItem, DeleteItem, and the actions of a transaction.
/// <see cref="Evaluate"/> then says under the store's lock what it would do.
/// </summary>
internal sealed class ItemWrite
{
    private readonly WriteKind _kind;
    private readonly Item _item;
    private readonly Condition? _condition;
    private readonly List<UpdateAction> _actions = [];

    /// <param name="kind">What it does.</param>
    /// <param name="request">The structure with TableName, Key or Item, and expressions. Its members are declared already.</param>
    /// <param name="table">The definition of the table that it names.</param>
    public ItemWrite(WriteKind kind, Request request, TableDefinition table)
    {
        (_kind, TableName) = (kind, table.Name);
        var names = new ExpressionNames(request.Element("ExpressionAttributeNames"), request.Element("ExpressionAttributeValues"));
        var condition = request.String("ConditionExpression");
        var update = kind == WriteKind.Update ? request.String("UpdateExpression") : null;
        if (update is not null)
            _actions = ExpressionParser.ParseUpdate(update, names);
        if (condition is not null)
            _condition = ExpressionParser.ParseCondition(condition, "ConditionExpression", names);
        else if (kind == WriteKind.Check)
            throw request.Missing("ConditionExpression");
        var any = condition is not null || update is not null;
        names.RequireAllUsed(any, any, kind == WriteKind.Update ? "Both UpdateExpression and ConditionExpression are null" : "ConditionExpression is null");
        ReturnOldOnFailure = request.Choice("ReturnValuesOnConditionCheckFailure", "NONE", "ALL_OLD", "NONE") == "ALL_OLD";

        if (kind == WriteKind.Put)
        {
            _item = AttributeJson.ReadItem(request.RequiredElement("Item"), "Item");
            Key = ItemRules.RequireValid(table, _item);
        }
        else
        {
            (_item, Key) = ItemRules.ReadKey(table, request.RequiredElement("Key"));
        }

        foreach (var action in _actions)
        {
            var root = Encoding.UTF8.GetString(action.Path.Root);
            if (table.Keys.Names.Contains(root))
                throw DynamoDbErrors.InvalidValue($"Cannot update attribute {root}. This attribute is part of the key");
        }
    }

    public string TableName { get; }

    public byte[] Key { get; }

    public bool ReturnOldOnFailure { get; }

    public bool IsCheck => _kind == WriteKind.Check;

    /// <summary>The paths that an update touches, for UPDATED_OLD and UPDATED_NEW.</summary>
    public IEnumerable<DocumentPath> UpdatedPaths => _actions.Select(a => a.Path);

    /// <summary>Bytes of what the request wants stored, for a transaction's 4 MB.</summary>
    public int RequestSize => _item.Encoded.Length + _actions.Sum(a => a switch
    {
        SetAction { Value: ValueOperand value } => value.Value.Encoded.Length,
        AddAction add => add.Value.Encoded.Length,
        _ => 0,
    });

    /// <summary>Whether the condition holds for the item that is there (null = none).</summary>
    public bool Meets(byte[]? old) => _condition is null || ConditionEvaluator.Holds(_condition, old is null ? Item.Empty : new Item(old));

    /// <summary>The item after the write; null when it is gone.</summary>
    /// <exception cref="AwsException">ValidationException: the update does not fit the item.</exception>
    public byte[]? Evaluate(TableDefinition table, byte[]? old)
    {
        switch (_kind)
        {
            case WriteKind.Put:
                return ToArray(_item);
            case WriteKind.Update:
                // An update of what is not there creates it from the key.
                var updated = UpdateEvaluator.Apply(old is null ? _item : new Item(old), _actions);
                ItemRules.RequireValid(table, updated, update: true);
                return ToArray(updated);
            case WriteKind.Delete:
                return null;
            default:
                return old;
        }
    }

    private static byte[] ToArray(Item item) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(item.Encoded, out var segment) && segment.Offset == 0 && segment.Array!.Length == segment.Count
            ? segment.Array
            : item.Encoded.ToArray();
}
