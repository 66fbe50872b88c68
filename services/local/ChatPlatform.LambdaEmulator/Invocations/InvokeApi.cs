using System.Text;
using System.Text.Json;
using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Invocations;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator;

/// <summary>Invoke (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html), GetFunctionConfiguration and ListFunctions with the members that a process has.</summary>
internal static class InvokeApi
{
    public static void MapInvokeApi(this WebApplication app)
    {
        app.MapPost("/2015-03-31/functions/{name}/invocations", InvokeAsync);
        // Routing takes the path with and without the slash at its end.
        app.MapGet("/2015-03-31/functions", (HttpContext context, FunctionCatalog functions) => WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("Functions");
            foreach (var function in functions.All)
                WriteConfiguration(json, function);
            json.WriteEndArray();
            json.WriteNull("NextMarker");
            json.WriteEndObject();
        }));
        app.MapGet("/2015-03-31/functions/{name}/configuration", (string name, HttpContext context, FunctionCatalog functions) =>
        {
            var function = functions.Get(name);
            return WriteAsync(context, json => WriteConfiguration(json, function));
        });
    }

    private static async Task InvokeAsync(string name, HttpContext context, FunctionCatalog functions, AsynchronousInvocations asynchronous)
    {
        var function = functions.Get(name);
        if (context.Request.Query["Qualifier"].ToString() is not ("" or "$LATEST") and var qualifier)
            throw LambdaException.NotFound($"Function not found: {function.Arn}:{qualifier}");

        var type = context.Request.Headers["X-Amz-Invocation-Type"].ToString();
        var limit = type == "Event" ? Payloads.AsynchronousLimit : Payloads.SynchronousLimit;
        var payload = await Payloads.ReadAsync(context.Request, limit)
            ?? throw new LambdaException("RequestTooLargeException", $"Request must be smaller than {limit} bytes for the InvokeFunction operation", 413);
        CheckJson(payload);
        var clientContext = context.Request.Headers["X-Amz-Client-Context"].ToString() is { Length: > 0 } given ? given : null;

        var response = context.Response;
        switch (type)
        {
            case "" or "RequestResponse":
                var result = await function.InvokeAsync(payload, clientContext);
                response.Headers["X-Amz-Executed-Version"] = "$LATEST";
                if (result.FunctionError is not null)
                    response.Headers["X-Amz-Function-Error"] = result.FunctionError;
                if (context.Request.Headers["X-Amz-Log-Type"] == "Tail")
                    response.Headers["X-Amz-Log-Result"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(result.LogTail));
                response.ContentType = "application/json";
                response.ContentLength = result.Payload.Length;
                await response.Body.WriteAsync(result.Payload, context.RequestAborted);
                break;
            case "Event":
                asynchronous.Add(function, payload, clientContext);
                response.StatusCode = 202;
                break;
            case "DryRun":
                response.StatusCode = 204;
                break;
            default:
                throw LambdaException.Invalid($"X-Amz-Invocation-Type is '{type}'; it must be one of RequestResponse, Event, DryRun.");
        }
    }

    private static void CheckJson(byte[] payload)
    {
        if (payload.Length == 0)
            return;
        try
        {
            var reader = new Utf8JsonReader(payload, new JsonReaderOptions { MaxDepth = 1_000 });
            while (reader.Read())
            {
                // Reading to the end is the check.
            }
        }
        catch (JsonException error)
        {
            throw new LambdaException("InvalidRequestContentException", $"Could not parse request body into json: {error.Message}");
        }
    }

    private static void WriteConfiguration(Utf8JsonWriter json, LambdaFunction function)
    {
        json.WriteStartObject();
        json.WriteString("FunctionName", function.Options.Name);
        json.WriteString("FunctionArn", function.Arn);
        json.WriteString("Runtime", "provided.al2023");
        json.WriteString("Handler", function.Options.Handler);
        json.WriteNumber("Timeout", (int)function.Options.Timeout.TotalSeconds);
        json.WriteNumber("MemorySize", function.Options.MemorySize);
        json.WriteString("Version", "$LATEST");
        json.WriteString("PackageType", "Zip");
        json.WriteString("State", "Active");
        json.WriteEndObject();
    }

    private static async Task WriteAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        write(json);
        await json.FlushAsync(context.RequestAborted);
    }
}
