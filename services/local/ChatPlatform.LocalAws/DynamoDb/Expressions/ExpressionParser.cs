using System.Globalization;
using System.Text;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Expressions;

/// <summary>
/// Recursive descent over DynamoDB's expression grammar (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html); operators bind as
/// comparison, IN, BETWEEN, functions, parentheses, NOT, AND, OR. Errors are ValidationExceptions worded as DynamoDB words them. Not thread-safe; one use.
/// </summary>
internal sealed class ExpressionParser
{
    /// <summary>https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters</summary>
    private const int MaxLength = 4096;
    private const int MaxOperators = 300;
    private const int MaxInOperands = 100;

    private readonly string _text;
    private readonly string _kind;
    private readonly ExpressionNames _names;
    private readonly List<Token> _tokens;
    private int _at;
    private int _operators;
    private int _depth;

    private ExpressionParser(string text, string kind, ExpressionNames names)
    {
        (_text, _kind, _names) = (text, kind, names);
        if (text.Length == 0)
            throw Invalid("The expression can not be empty;");
        if (Encoding.UTF8.GetByteCount(text) > MaxLength)
            throw Invalid($"Expression size has exceeded the maximum allowed size; expression size: {Encoding.UTF8.GetByteCount(text)}");
        _tokens = Tokenizer.Cut(text);
    }

    private Token Current => _tokens[_at];

    public static Condition ParseCondition(string text, string kind, ExpressionNames names)
    {
        var parser = new ExpressionParser(text, kind, names);
        var condition = parser.Or(out _);
        parser.RequireEnd();
        return condition;
    }

    public static List<DocumentPath> ParseProjection(string text, ExpressionNames names)
    {
        var parser = new ExpressionParser(text, "ProjectionExpression", names);
        var paths = new List<DocumentPath> { parser.Path() };
        while (parser.Take(","))
            paths.Add(parser.Path());
        parser.RequireEnd();
        parser.RequireDistinct(paths);
        return paths;
    }

    public static List<UpdateAction> ParseUpdate(string text, ExpressionNames names)
    {
        var parser = new ExpressionParser(text, "UpdateExpression", names);
        var actions = parser.Update();
        parser.RequireEnd();
        parser.RequireDistinct(actions.ConvertAll(a => a.Path));
        return actions;
    }

    private List<UpdateAction> Update()
    {
        var actions = new List<UpdateAction>();
        var sections = new HashSet<string>(StringComparer.Ordinal);
        do
        {
            var section = Current.Kind == TokenKind.Word ? Current.Text.ToUpperInvariant() : "";
            if (section is not ("SET" or "REMOVE" or "ADD" or "DELETE"))
                throw Unexpected();
            if (!sections.Add(section))
                throw Invalid($"The \"{section}\" section can only be used once in an update expression;");
            _at++;
            do
                actions.Add(Action(section));
            while (Take(","));
        }
        while (Current.Kind != TokenKind.End);
        return actions;
    }

    private UpdateAction Action(string section)
    {
        var path = Path();
        switch (section)
        {
            case "SET":
                Require("=");
                return new SetAction(path, Sum());
            case "REMOVE":
                return new RemoveAction(path);
            default:
                var token = Current;
                if (token.Kind != TokenKind.ValuePlaceholder)
                    throw Unexpected();
                _at++;
                CountOperator();
                var value = _names.Value(token.Text, _kind);
                var allowed = value.IsSet || (section == "ADD" && value.Type == AttributeType.N);
                if (!allowed)
                    throw Invalid($"Incorrect operand type for operator or function; operator: {section}, operand type: {LongName(value.Type)}, typeSet: ALLOWED_FOR_{section}_OPERAND");
                return section == "ADD" ? new AddAction(path, value) : new DeleteAction(path, value);
        }
    }

    private Operand Sum()
    {
        var left = SetOperand();
        if (!Current.Is("+") && !Current.Is("-"))
            return left;
        var subtract = Current.Is("-");
        _at++;
        CountOperator();
        var right = SetOperand();
        foreach (var side in (ReadOnlySpan<Operand>)[left, right])
        {
            if (side is ValueOperand { Value.Type: not AttributeType.N } wrong)
                throw WrongType(subtract ? "-" : "+", wrong);
            if (side is ListAppendOperand)
                throw Misused("list_append");
        }

        return new SumOperand(left, right, subtract);
    }

    private Operand SetOperand()
    {
        if (Current.Kind == TokenKind.Word && _tokens[_at + 1].Is("("))
        {
            var function = Current.Text;
            _at += 2;
            Enter();
            Operand operand;
            switch (function)
            {
                case "if_not_exists":
                    {
                        var arguments = SetArguments(function, 2);
                        if (arguments[0] is not PathOperand path)
                            throw Invalid($"Operator or function requires a document path; operator or function: {function}");
                        operand = new IfNotExistsOperand(path.Path, arguments[1]);
                        break;
                    }

                case "list_append":
                    {
                        var arguments = SetArguments(function, 2);
                        if (arguments.OfType<ValueOperand>().FirstOrDefault(a => a.Value.Type != AttributeType.L) is { } wrong)
                            throw WrongType(function, wrong);
                        operand = new ListAppendOperand(arguments[0], arguments[1]);
                        break;
                    }

                case "attribute_exists" or "attribute_not_exists" or "attribute_type" or "begins_with" or "contains" or "size":
                    throw Invalid($"The function is not allowed in an update expression; function: {function}");
                default:
                    throw Invalid($"Invalid function name; function: {function}");
            }

            _depth--;
            CountOperator();
            return operand;
        }

        if (Take("("))
        {
            Enter();
            var inner = Sum();
            Require(")");
            _depth--;
            return inner;
        }

        return PathOrValue();
    }

    private List<Operand> SetArguments(string function, int expected)
    {
        var arguments = new List<Operand> { SetOperand() };
        while (Take(","))
            arguments.Add(SetOperand());
        Require(")");
        if (arguments.Exists(a => a is ListAppendOperand))
            throw Misused("list_append");
        return arguments.Count == expected ? arguments : throw WrongCount(function, arguments.Count);
    }

    private Condition Or(out bool parenthesized)
    {
        var left = And(out parenthesized);
        while (Current.IsKeyword("OR"))
        {
            _at++;
            CountOperator();
            left = new OrCondition(left, And(out _));
            parenthesized = false;
        }

        return left;
    }

    private Condition And(out bool parenthesized)
    {
        var left = Not(out parenthesized);
        while (Current.IsKeyword("AND"))
        {
            _at++;
            CountOperator();
            left = new AndCondition(left, Not(out _));
            parenthesized = false;
        }

        return left;
    }

    private Condition Not(out bool parenthesized)
    {
        if (!Current.IsKeyword("NOT"))
            return Primary(out parenthesized);
        _at++;
        CountOperator();
        Enter();
        var inner = Not(out _);
        _depth--;
        parenthesized = false;
        return new NotCondition(inner);
    }

    private Condition Primary(out bool parenthesized)
    {
        parenthesized = false;
        if (Take("("))
        {
            Enter();
            var inner = Or(out var doubled);
            Require(")");
            _depth--;
            if (doubled)
                throw Invalid("The expression has redundant parentheses;");
            parenthesized = true;
            return inner;
        }

        if (Current.Kind == TokenKind.Word && _tokens[_at + 1].Is("(") && Current.Text != "size")
            return Function();

        var left = ConditionOperand();
        if (Current.IsKeyword("BETWEEN"))
        {
            _at++;
            CountOperator();
            var low = ConditionOperand();
            if (!Current.IsKeyword("AND"))
                throw Unexpected();
            _at++;
            var high = ConditionOperand();
            RequireOrdered(low, high);
            return new BetweenCondition(left, low, high);
        }

        if (Current.IsKeyword("IN"))
        {
            _at++;
            CountOperator();
            Require("(");
            var candidates = new List<Operand> { ConditionOperand() };
            while (Take(","))
                candidates.Add(ConditionOperand());
            Require(")");
            if (candidates.Count > MaxInOperands)
                throw Invalid($"The IN operator is provided with too many operands; number of operands: {candidates.Count + 1}");
            return new InCondition(left, candidates);
        }

        if (Current.Kind != TokenKind.Symbol || ToComparator(Current.Text) is not { } comparator)
            throw left is SizeOperand ? Misused("size") : Unexpected();
        var symbol = Current.Text;
        _at++;
        CountOperator();
        var right = ConditionOperand();
        if (left is PathOperand a && right is PathOperand b && a.Path.SameAs(b.Path))
            throw Invalid($"The first operand must be distinct from the remaining operands for this operator or function; operator: {symbol}, first operand: {a.Path}");
        if (comparator is not (Comparator.Equal or Comparator.NotEqual))
        {
            foreach (var side in (ReadOnlySpan<Operand>)[left, right])
            {
                if (side is ValueOperand { Value.Type: not (AttributeType.S or AttributeType.N or AttributeType.B) } wrong)
                    throw WrongType(symbol, wrong);
            }
        }

        return new Comparison(comparator, left, right);
    }

    private Condition Function()
    {
        var function = Current.Text;
        if (function is "if_not_exists" or "list_append")
            throw Invalid($"The function is not allowed in a condition expression; function: {function}");
        if (function is not ("attribute_exists" or "attribute_not_exists" or "attribute_type" or "begins_with" or "contains"))
            throw Invalid($"Invalid function name; function: {function}");
        _at += 2;
        CountOperator();
        var arguments = new List<Operand> { ConditionOperand() };
        while (Take(","))
            arguments.Add(ConditionOperand());
        Require(")");
        if (arguments.Count != (function is "attribute_exists" or "attribute_not_exists" ? 1 : 2))
            throw WrongCount(function, arguments.Count);
        switch (function)
        {
            case "attribute_exists" or "attribute_not_exists":
                return new ExistsCondition(RequirePath(function, arguments[0]), function == "attribute_exists");
            case "attribute_type":
                if (arguments[1] is not ValueOperand { Value: { Type: AttributeType.S } name })
                    throw WrongType(function, arguments[1]);
                return AttributeJson.TryParseType(name.Text, out var type)
                    ? new TypeCondition(RequirePath(function, arguments[0]), type)
                    : throw Invalid($"Invalid attribute type name found; type: {name.Text}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}");
            case "begins_with":
                if (arguments.OfType<ValueOperand>().FirstOrDefault(a => a.Value.Type is not (AttributeType.S or AttributeType.B)) is { } wrong)
                    throw WrongType(function, wrong);
                return new BeginsWithCondition(arguments[0], arguments[1]);
            default:
                return new ContainsCondition(arguments[0], arguments[1]);
        }
    }

    private Operand ConditionOperand()
    {
        if (Current.Kind == TokenKind.Word && _tokens[_at + 1].Is("("))
        {
            var function = Current.Text;
            if (function != "size")
                throw Misused(function);
            _at += 2;
            CountOperator();
            var arguments = new List<Operand> { PathOrValue() };
            while (Take(","))
                arguments.Add(PathOrValue());
            Require(")");
            return arguments.Count == 1 ? new SizeOperand(RequirePath(function, arguments[0])) : throw WrongCount(function, arguments.Count);
        }

        return PathOrValue();
    }

    private Operand PathOrValue()
    {
        if (Current.Kind == TokenKind.ValuePlaceholder)
            return new ValueOperand(_names.Value(_tokens[_at++].Text, _kind));
        return new PathOperand(Path());
    }

    private DocumentPath Path()
    {
        var steps = new List<PathStep> { NameStep() };
        while (true)
        {
            if (Take("."))
            {
                steps.Add(NameStep());
            }
            else if (Take("["))
            {
                var index = Current;
                if (index.Kind != TokenKind.Digits)
                    throw Unexpected();
                if (!int.TryParse(index.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                    throw Invalid($"List index is not within the allowable range; index: [{index.Text}]");
                _at++;
                Require("]");
                steps.Add(new(null, number));
            }
            else
            {
                if (steps.Count > 32)
                    throw Invalid($"The document path has too many nesting levels; nesting levels: {steps.Count}");
                return new DocumentPath([.. steps]);
            }
        }
    }

    private PathStep NameStep()
    {
        var token = Current;
        switch (token.Kind)
        {
            case TokenKind.NamePlaceholder:
                _at++;
                return new(_names.Name(token.Text, _kind), 0);
            case TokenKind.Word:
                // An operator where a name should be is a slip of grammar; any other reserved word is a name that needs a placeholder.
                if (ReservedWords.Contains(token.Text))
                    throw Invalid($"Attribute name is a reserved keyword; reserved keyword: {token.Text}");
                if (token.Text[0] == '_')
                    throw Unexpected();
                _at++;
                return new(Encoding.UTF8.GetBytes(token.Text), 0);
            default:
                throw Unexpected();
        }
    }

    private void RequireDistinct(List<DocumentPath> paths)
    {
        for (var i = 0; i < paths.Count; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (paths[j].Overlaps(paths[i]))
                    throw Invalid($"Two document paths overlap with each other; must remove or rewrite one of these paths; path one: {paths[j]}, path two: {paths[i]}");
                if (paths[j].ConflictsWith(paths[i]))
                    throw Invalid($"Two document paths conflict with each other; must remove or rewrite one of these paths; path one: {paths[j]}, path two: {paths[i]}");
            }
        }
    }

    private void RequireOrdered(Operand low, Operand high)
    {
        if (low is not ValueOperand { Value: var a } || high is not ValueOperand { Value: var b })
            return;
        if (a.Type != b.Type)
            throw Invalid($"The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {AttributeJson.Describe(a)}, upper bound operand: AttributeValue: {AttributeJson.Describe(b)}");
        if (a.Type is not (AttributeType.S or AttributeType.N or AttributeType.B))
            throw WrongType("BETWEEN", low);
        if (a.PayloadSpan.SequenceCompareTo(b.PayloadSpan) > 0)
            throw Invalid($"The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {AttributeJson.Describe(a)}, upper bound operand: AttributeValue: {AttributeJson.Describe(b)}");
    }

    private DocumentPath RequirePath(string function, Operand operand) => operand is PathOperand path
        ? path.Path
        : throw Invalid($"Operator or function requires a document path; operator or function: {function}");

    private bool Take(string symbol)
    {
        if (!Current.Is(symbol))
            return false;
        _at++;
        return true;
    }

    private void Require(string symbol)
    {
        if (!Take(symbol))
            throw Unexpected();
    }

    private void RequireEnd()
    {
        if (Current.Kind != TokenKind.End)
            throw Unexpected();
    }

    private void CountOperator()
    {
        if (++_operators > MaxOperators)
            throw Invalid($"The expression contains too many operators; operator count: {_operators}");
    }

    private void Enter()
    {
        if (++_depth > MaxOperators)
            throw Invalid("The expression is nested too deeply;");
    }

    private AwsException Invalid(string detail) => DynamoDbErrors.Validation($"Invalid {_kind}: {detail}");

    private AwsException Misused(string function) => Invalid($"The function is not allowed to be used this way in an expression; function: {function}");

    private AwsException WrongCount(string function, int count) =>
        Invalid($"Incorrect number of operands for operator or function; operator or function: {function}, number of operands: {count}");

    private AwsException WrongType(string function, Operand operand) =>
        Invalid($"Incorrect operand type for operator or function; operator or function: {function}, operand type: {(operand is ValueOperand v ? AttributeJson.Name(v.Value.Type) : "PATH")}");

    private AwsException Unexpected()
    {
        // The text from the token before to the token after.
        var (first, last) = (_tokens[Math.Max(0, _at - 1)], _tokens[Math.Min(_at + 1, _tokens.Count - 1)]);
        var end = last.Kind == TokenKind.End ? _text.TrimEnd().Length : last.Start + last.Text.Length;
        return Invalid($"Syntax error; token: \"{Current.Text}\", near: \"{_text[Math.Min(first.Start, end)..end]}\"");
    }

    private static Comparator? ToComparator(string symbol) => symbol switch
    {
        "=" => Comparator.Equal,
        "<>" => Comparator.NotEqual,
        "<" => Comparator.Less,
        "<=" => Comparator.LessOrEqual,
        ">" => Comparator.Greater,
        ">=" => Comparator.GreaterOrEqual,
        _ => null,
    };

    private static string LongName(AttributeType type) => type switch
    {
        AttributeType.S => "STRING",
        AttributeType.N => "NUMBER",
        AttributeType.B => "BINARY",
        AttributeType.BOOL => "BOOLEAN",
        AttributeType.NULL => "NULL",
        AttributeType.L => "LIST",
        AttributeType.M => "MAP",
        AttributeType.SS => "STRING_SET",
        AttributeType.NS => "NUMBER_SET",
        _ => "BINARY_SET",
    };
}
