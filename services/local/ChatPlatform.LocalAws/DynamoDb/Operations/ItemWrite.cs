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
/// One write, parsed: PutItem, UpdateItem, DeleteItem, and the actions of a transaction. <see cref="KeyIn"/> says whether it fits its table, and
/// <see cref="Evaluate"/> under the store's lock what it would do.
/// </summary>
internal sealed class ItemWrite
{
    private readonly WriteKind _kind;
    private readonly Item _item;
    private readonly Condition? _condition;
    private readonly List<UpdateAction> _actions = [];

    /// <param name="kind">What it does.</param>
    /// <param name="request">The structure with TableName, Key or Item, and expressions. Its members are declared already.</param>
    /// <exception cref="AwsException">ValidationException: an expression, a placeholder or a value is wrong, whatever the table.</exception>
    public ItemWrite(WriteKind kind, Request request)
    {
        (_kind, TableName) = (kind, request.TableName());
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
        names.RequireAllUsed(any, any, kind == WriteKind.Update ? "UpdateExpression and ConditionExpression are null" : "ConditionExpression is null");
        ReturnOldOnFailure = request.Choice("ReturnValuesOnConditionCheckFailure", "NONE", "ALL_OLD", "NONE") == "ALL_OLD";
        var member = kind == WriteKind.Put ? "Item" : "Key";
        _item = AttributeJson.ReadItem(request.RequiredElement(member), member);
    }

    public string TableName { get; }

    /// <summary>The item to put, or the key of the others: the table's key attributes are in both.</summary>
    public Item Given => _item;

    public bool ReturnOldOnFailure { get; }

    public bool IsCheck => _kind == WriteKind.Check;

    /// <summary>The paths that an update touches, for UPDATED_OLD and UPDATED_NEW.</summary>
    public IEnumerable<DocumentPath> UpdatedPaths => _actions.Select(a => a.Path);

    /// <summary>Bytes of what the request wants stored, for a transaction's 4 MB.</summary>
    public int RequestSize => _item.BilledSize() + _actions.Sum(a => a switch
    {
        SetAction { Value: ValueOperand value } => value.Value.BilledSize(),
        AddAction add => add.Value.BilledSize(),
        _ => 0,
    });

    /// <summary>The stored key of the item that it writes.</summary>
    /// <exception cref="AwsException">ValidationException: it does not fit the table's keys or indexes, or an item to put is too large.</exception>
    public byte[] KeyIn(TableDefinition table)
    {
        var key = _kind == WriteKind.Put ? ItemRules.RequireValid(table, _item) : ItemRules.RequireKey(table, _item);
        foreach (var action in _actions)
        {
            var root = Encoding.UTF8.GetString(action.Path.Root);
            if (table.Keys.Names.Contains(root))
                throw DynamoDbErrors.InvalidValue($"Cannot update attribute {root}. This attribute is part of the key");
        }

        return key;
    }

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
