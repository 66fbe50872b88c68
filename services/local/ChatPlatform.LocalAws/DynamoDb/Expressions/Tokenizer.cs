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

    /// <summary><c>( ) [ ] . , = &lt;&gt; &lt; &lt;= &gt; &gt;= + -</c>, or a character that no rule accepts.</summary>
    Symbol,

    End,
}

/// <param name="Kind">What it is.</param>
/// <param name="Text">What it reads.</param>
/// <param name="Start">Where it begins in the expression.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Start)
{
    public bool Is(string symbol) => Kind == TokenKind.Symbol && Text == symbol;

    public bool IsKeyword(string keyword) => Kind == TokenKind.Word && Text.Equals(keyword, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Cuts an expression into tokens (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html).</summary>
internal static class Tokenizer
{
    /// <summary>The tokens; the last one is <see cref="TokenKind.End"/>.</summary>
    public static List<Token> Cut(string text)
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
                tokens.Add(new(TokenKind.Word, text[start..at], start));
            }
            else if (c is '#' or ':')
            {
                at = SkipName(text, at + 1);
                var kind = at == start + 1 ? TokenKind.Symbol : c == '#' ? TokenKind.NamePlaceholder : TokenKind.ValuePlaceholder;
                tokens.Add(new(kind, text[start..at], start));
            }
            else if (char.IsAsciiDigit(c))
            {
                while (at < text.Length && char.IsAsciiDigit(text[at]))
                    at++;
                tokens.Add(new(TokenKind.Digits, text[start..at], start));
            }
            else
            {
                var two = at + 1 < text.Length ? text.Substring(at, 2) : "";
                at += two is "<>" or "<=" or ">=" ? 2 : 1;
                tokens.Add(new(TokenKind.Symbol, text[start..at], start));
            }
        }

        tokens.Add(new(TokenKind.End, "<EOF>", text.Length));
        return tokens;
    }

    private static int SkipName(string text, int at)
    {
        while (at < text.Length && (IsLetter(text[at]) || char.IsAsciiDigit(text[at]) || text[at] == '_'))
            at++;
        return at;
    }

    private static bool IsLetter(char c) => char.IsAsciiLetter(c);
}
