using System.Text.Json;

namespace ChatPlatform.LocalAws.Protocol;

/// <summary>
/// Finds the tables or the delivery stream that a request of a JSON service is about, without carrying it out: for fault rules and spans.
/// It knows the places where the services' models have them: members of the request, the keys of <c>RequestItems</c>, the actions of <c>TransactItems</c>.
/// </summary>
internal static class RequestedResources
{
    private const int MaxDepth = 128;

    /// <summary>Each name once, an ARN or a shard iterator as the table's name in it; none for a body that is not JSON.</summary>
    public static List<string> Of(ReadOnlySpan<byte> body)
    {
        var names = new List<string>();
        var json = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxDepth });
        try
        {
            if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
                return names;
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                if (IsName(ref json))
                    AddValue(ref json, names);
                else if (json.ValueTextEquals("RequestItems"u8))
                    AddKeys(ref json, names);
                else if (json.ValueTextEquals("TransactItems"u8))
                    AddActions(ref json, names);
                else
                    json.Skip();
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // Not JSON, or a text that is no UTF-8: the operation itself says so.
            return names;
        }

        return names;
    }

    private static bool IsName(ref Utf8JsonReader json) =>
        json.ValueTextEquals("TableName"u8) || json.ValueTextEquals("StreamArn"u8) || json.ValueTextEquals("ShardIterator"u8)
        || json.ValueTextEquals("ResourceArn"u8) || json.ValueTextEquals("DeliveryStreamName"u8);

    private static void AddKeys(ref Utf8JsonReader json, List<string> names)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return;
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            Add(json.GetString()!, names);
            json.Skip();
        }
    }

    private static void AddActions(ref Utf8JsonReader json, List<string> names)
    {
        var depth = json.CurrentDepth;
        json.Read();
        while (json.TokenType == JsonTokenType.StartArray || json.CurrentDepth > depth)
        {
            json.Read();
            // TransactItems: [ { Put: { TableName: … } } ].
            if (json.TokenType == JsonTokenType.PropertyName && json.CurrentDepth == depth + 3 && json.ValueTextEquals("TableName"u8))
                AddValue(ref json, names);
            else if (json.TokenType == JsonTokenType.PropertyName && json.CurrentDepth >= depth + 3)
                json.Skip();
        }
    }

    private static void AddValue(ref Utf8JsonReader json, List<string> names)
    {
        json.Read();
        if (json.TokenType == JsonTokenType.String)
            Add(json.GetString()!, names);
        else
            json.Skip();
    }

    private static void Add(string text, List<string> names)
    {
        var name = text;
        if (text.StartsWith("arn:", StringComparison.Ordinal) && text.IndexOf(":table/", StringComparison.Ordinal) is var at and > 0)
        {
            name = text[(at + 7)..];
            name = name.IndexOf('/') is var end and >= 0 ? name[..end] : name;
        }

        if (!names.Contains(name))
            names.Add(name);
    }
}
