using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

/// <summary>
/// <c>ExpressionAttributeNames</c> and <c>ExpressionAttributeValues</c> of one request. DynamoDB refuses a placeholder that no expression uses, so uses are noted.
/// </summary>
internal sealed class ExpressionNames
{
    private readonly Dictionary<string, byte[]> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AttributeValue> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly bool _hasNames;
    private readonly bool _hasValues;

    /// <exception cref="AwsException">A placeholder is misspelt, or a value invalid.</exception>
    public ExpressionNames(JsonElement? names, JsonElement? values)
    {
        if (names is { } namesJson)
        {
            _hasNames = true;
            if (namesJson.ValueKind != JsonValueKind.Object)
                throw AwsException.Serialization("Unexpected field type for ExpressionAttributeNames");
            foreach (var member in namesJson.EnumerateObject())
            {
                if (!IsPlaceholder(member.Name, '#'))
                    throw DynamoDbErrors.Validation($"ExpressionAttributeNames contains invalid key: Syntax error; key: \"{member.Name}\"");
                var name = AttributeJson.Utf8(member.Value).ToArray();
                if (name.Length == 0)
                    throw DynamoDbErrors.Validation($"ExpressionAttributeNames contains invalid value: Empty attribute name; key: \"{member.Name}\"");
                _names[member.Name] = name;
            }

            if (_names.Count == 0)
                throw DynamoDbErrors.Validation("ExpressionAttributeNames must not be empty");
        }

        if (values is { } valuesJson)
        {
            _hasValues = true;
            if (valuesJson.ValueKind != JsonValueKind.Object)
                throw AwsException.Serialization("Unexpected field type for ExpressionAttributeValues");
            foreach (var member in valuesJson.EnumerateObject())
            {
                if (!IsPlaceholder(member.Name, ':'))
                    throw DynamoDbErrors.Validation($"ExpressionAttributeValues contains invalid key: Syntax error; key: \"{member.Name}\"");
                try
                {
                    _values[member.Name] = AttributeJson.ReadValue(member.Value);
                }
                catch (AwsException error) when (error.Type == "ValidationException")
                {
                    throw DynamoDbErrors.Validation($"ExpressionAttributeValues contains invalid value: {error.Message} for key {member.Name}");
                }
            }

            if (_values.Count == 0)
                throw DynamoDbErrors.Validation("ExpressionAttributeValues must not be empty");
        }
    }

    /// <summary>Says that the request has placeholders but no expression at all, or has ones that no expression used.</summary>
    /// <param name="anyExpression">Whether an expression is there that can use names.</param>
    /// <param name="anyValueExpression">Whether one is there that can use values (a projection cannot).</param>
    /// <param name="valueExpressions">The parameters that could, for the message.</param>
    public void RequireAllUsed(bool anyExpression, bool anyValueExpression, string valueExpressions)
    {
        if (_hasNames && !anyExpression)
            throw DynamoDbErrors.Validation("ExpressionAttributeNames can only be specified when using expressions");
        if (_hasValues && !anyValueExpression)
            throw DynamoDbErrors.Validation($"ExpressionAttributeValues can only be specified when using expressions: {valueExpressions}");
        var names = _names.Keys.Where(n => !_used.Contains(n)).ToList();
        if (names.Count > 0)
            throw DynamoDbErrors.Validation($"Value provided in ExpressionAttributeNames unused in expressions: keys: {{{string.Join(", ", names)}}}");
        var values = _values.Keys.Where(n => !_used.Contains(n)).ToList();
        if (values.Count > 0)
            throw DynamoDbErrors.Validation($"Value provided in ExpressionAttributeValues unused in expressions: keys: {{{string.Join(", ", values)}}}");
    }

    public byte[] Name(string placeholder, string kind)
    {
        if (!_names.TryGetValue(placeholder, out var name))
            throw DynamoDbErrors.Validation($"Invalid {kind}: An expression attribute name used in the document path is not defined; attribute name: {placeholder}");
        _used.Add(placeholder);
        return name;
    }

    public AttributeValue Value(string placeholder, string kind)
    {
        if (!_values.TryGetValue(placeholder, out var value))
            throw DynamoDbErrors.Validation($"Invalid {kind}: An expression attribute value used in expression is not defined; attribute value: {placeholder}");
        _used.Add(placeholder);
        return value;
    }

    private static bool IsPlaceholder(string key, char mark) =>
        key.Length > 1 && key[0] == mark && key.Skip(1).All(c => char.IsAsciiLetterOrDigit(c) || c == '_') && Encoding.UTF8.GetByteCount(key) <= 255;
}
