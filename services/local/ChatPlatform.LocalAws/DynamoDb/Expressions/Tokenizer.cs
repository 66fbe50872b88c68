namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

internal enum TokenKind
{
    /// <summary>A bare attribute name, keyword or function name.</summary>
    Word,

    /// <summary><c>#name</c>.</summary>
    NamePlaceholder,

    /// <summary><c>:value</c>.</summary>
    ValuePlaceholder,

    /// <summary>Digits, in an index.</summary>
    Digits,

    /// <summary><c>( ) [ ] . , = &lt;&gt; &lt; &lt;= &gt; &gt;= + -</c>.</summary>
    Symbol,

    End,
}

internal readonly record struct Token(TokenKind Kind, string Text)
{
    public bool Is(string symbol) => Kind == TokenKind.Symbol && Text == symbol;

    public bool IsKeyword(string keyword) => Kind == TokenKind.Word && Text.Equals(keyword, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Cuts an expression into tokens (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html).</summary>
internal static class Tokenizer
{
    /// <param name="text">The expression.</param>
    /// <param name="kind">Its parameter's name, for messages, e.g. <c>FilterExpression</c>.</param>
    /// <exception cref="Protocol.AwsException">ValidationException for a character that begins no token.</exception>
    public static List<Token> Cut(string text, string kind)
    {
        var tokens = new List<Token>(16);
        for (var at = 0; at < text.Length;)
        {
            var c = text[at];
            if (char.IsWhiteSpace(c))
            {
                at++;
                continue;
            }

            var start = at;
            if (IsLetter(c) || c == '_')
            {
                at = SkipName(text, at);
                tokens.Add(new(TokenKind.Word, text[start..at]));
            }
            else if (c is '#' or ':')
            {
                at = SkipName(text, at + 1);
                if (at == start + 1)
                    throw SyntaxError(kind, c.ToString(), Near(text, start));
                tokens.Add(new(c == '#' ? TokenKind.NamePlaceholder : TokenKind.ValuePlaceholder, text[start..at]));
            }
            else if (char.IsAsciiDigit(c))
            {
                while (at < text.Length && char.IsAsciiDigit(text[at]))
                    at++;
                tokens.Add(new(TokenKind.Digits, text[start..at]));
            }
            else if ("()[].,=<>+-".Contains(c))
            {
                var two = at + 1 < text.Length ? text.Substring(at, 2) : "";
                at += two is "<>" or "<=" or ">=" ? 2 : 1;
                tokens.Add(new(TokenKind.Symbol, text[start..at]));
            }
            else
            {
                throw SyntaxError(kind, c.ToString(), Near(text, start));
            }
        }

        tokens.Add(new(TokenKind.End, "<EOF>"));
        return tokens;
    }

    public static Protocol.AwsException SyntaxError(string kind, string token, string near) =>
        DynamoDbErrors.Validation($"Invalid {kind}: Syntax error; token: \"{token}\", near: \"{near}\"");

    private static string Near(string text, int at) => text[Math.Max(0, at - 5)..Math.Min(text.Length, at + 6)];

    private static int SkipName(string text, int at)
    {
        while (at < text.Length && (IsLetter(text[at]) || char.IsAsciiDigit(text[at]) || text[at] == '_'))
            at++;
        return at;
    }

    private static bool IsLetter(char c) => char.IsAsciiLetter(c);
}
