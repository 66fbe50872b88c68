using System.Text.Json;
using ChatPlatform.LocalAws.Protocol;
using Microsoft.AspNetCore.Http.Features;

namespace ChatPlatform.LocalAws.Faults;

/// <summary><c>/_localaws/faults</c>: sets, lists and clears fault rules. Its own errors are 400 with <c>{"message": …}</c>.</summary>
internal static class FaultsApi
{
    private const int MaxBody = 64 * 1024;
    private const int MaxLatency = 600_000;

    private static readonly Dictionary<string, FaultKind> Kinds = new(StringComparer.Ordinal)
    {
        ["throttling"] = FaultKind.Throttling,
        ["internalError"] = FaultKind.InternalError,
        ["latency"] = FaultKind.Latency,
        ["reset"] = FaultKind.Reset,
    };

    private sealed class InvalidRuleException(string message) : Exception(message);

    public static WebApplication MapFaults(this WebApplication app)
    {
        app.MapPost("/_localaws/faults", SetAsync);
        app.MapGet("/_localaws/faults", (HttpContext context, FaultRules rules, RunningServices services) => AnswerAsync(context, 200, json => WriteAll(json, rules, services)));
        app.MapDelete("/_localaws/faults", (FaultRules rules) =>
        {
            rules.Clear();
            return Results.NoContent();
        });
        app.MapDelete("/_localaws/faults/{id}", (HttpContext context, string id, FaultRules rules) =>
        {
            if (!rules.Remove(id))
                return RefuseAsync(context, 404, $"There is no rule '{id}'.");
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });
        return app;
    }

    private static async Task SetAsync(HttpContext context, FaultRules rules, RunningServices services)
    {
        FaultRule rule;
        try
        {
            if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
                limit.MaxRequestBodySize = MaxBody;
            using var document = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            rule = Read(document.RootElement, services);
        }
        catch (JsonException)
        {
            await RefuseAsync(context, 400, "The body must be one JSON object.");
            return;
        }
        catch (InvalidRuleException error)
        {
            await RefuseAsync(context, 400, error.Message);
            return;
        }

        if (!rules.TryAdd(rule))
            await RefuseAsync(context, 400, $"There are {FaultRules.MaxRules} rules already; DELETE /_localaws/faults clears them.");
        else
            await AnswerAsync(context, 201, json => Write(json, rule, services));
    }

    private static FaultRule Read(JsonElement json, RunningServices services)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new InvalidRuleException("The body must be one JSON object.");
        var service = Choice(json, "service", services.All.ToDictionary(s => s.Name, StringComparer.Ordinal));
        string[] members = ["service", "operation", service.ResourceKind, "kind", "when", "probability", "count", "latencyMs"];
        foreach (var member in json.EnumerateObject())
        {
            if (!members.Contains(member.Name))
                throw new InvalidRuleException($"'{member.Name}' is no member of a rule for {service.Name}; it may have {string.Join(", ", members)}.");
        }

        var kind = Choice(json, "kind", Kinds);
        var latency = Number(json, "latencyMs", value => value is >= 1 and <= MaxLatency && value == Math.Floor(value), $"a whole number from 1 to {MaxLatency}");
        if (kind == FaultKind.Latency != latency is not null)
            throw new InvalidRuleException("latencyMs must be there with kind 'latency', and only with it.");
        return new FaultRule
        {
            Service = service.Name,
            Operation = json.TryGetProperty("operation", out _) ? Choice(json, "operation", service.Operations.ToDictionary(o => o.Name, o => o.Name, StringComparer.Ordinal)) : null,
            Resource = Text(json, service.ResourceKind),
            Kind = kind,
            After = json.TryGetProperty("when", out _) && Choice(json, "when", new Dictionary<string, bool> { ["before"] = false, ["after"] = true }),
            Probability = Number(json, "probability", value => value is > 0 and <= 1, "a number above 0 and at most 1") ?? 1,
            Count = (long?)Number(json, "count", value => value is >= 1 and <= int.MaxValue && value == Math.Floor(value), "a whole number from 1"),
            Latency = TimeSpan.FromMilliseconds(latency ?? 0),
        };
    }

    private static T Choice<T>(JsonElement json, string member, Dictionary<string, T> allowed)
    {
        var text = json.TryGetProperty(member, out var value) ? value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText() : "";
        return allowed.TryGetValue(text, out var chosen)
            ? chosen
            : throw new InvalidRuleException($"{member} is '{text}'; it must be one of {string.Join(", ", allowed.Keys)}.");
    }

    private static string? Text(JsonElement json, string member)
    {
        if (!json.TryGetProperty(member, out var value))
            return null;
        return value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
            ? text
            : throw new InvalidRuleException($"{member} is {value.GetRawText()}; it must be a name.");
    }

    private static double? Number(JsonElement json, string member, Predicate<double> isAllowed, string allowed)
    {
        if (!json.TryGetProperty(member, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && isAllowed(number)
            ? number
            : throw new InvalidRuleException($"{member} is {value.GetRawText()}; it must be {allowed}.");
    }

    private static void WriteAll(Utf8JsonWriter json, FaultRules rules, RunningServices services)
    {
        json.WriteStartObject();
        json.WriteStartArray("faults");
        foreach (var rule in rules.All)
            Write(json, rule, services);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, FaultRule rule, RunningServices services)
    {
        json.WriteStartObject();
        json.WriteString("id", rule.Id);
        json.WriteString("service", rule.Service);
        if (rule.Operation is not null)
            json.WriteString("operation", rule.Operation);
        if (rule.Resource is not null)
            json.WriteString(services.All.Single(s => s.Name == rule.Service).ResourceKind, rule.Resource);
        json.WriteString("kind", Kinds.Single(k => k.Value == rule.Kind).Key);
        json.WriteString("when", rule.After ? "after" : "before");
        json.WriteNumber("probability", rule.Probability);
        if (rule.Count is { } count)
            json.WriteNumber("count", count);
        if (rule.Kind == FaultKind.Latency)
            json.WriteNumber("latencyMs", (long)rule.Latency.TotalMilliseconds);
        json.WriteNumber("struck", rule.Struck);
        json.WriteEndObject();
    }

    private static Task RefuseAsync(HttpContext context, int status, string message) => AnswerAsync(context, status, json =>
    {
        json.WriteStartObject();
        json.WriteString("message", message);
        json.WriteEndObject();
    });

    private static async Task AnswerAsync(HttpContext context, int status, Action<Utf8JsonWriter> write)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        write(json);
        await json.FlushAsync(context.RequestAborted);
    }
}
