using System.Globalization;
using System.Net;
using System.Text.Json;

namespace ChatPlatform.CdcLambda.Runtime;

/// <summary>One invocation.</summary>
/// <param name="RequestId">The id the answer goes to.</param>
/// <param name="Event">The event's UTF-8, valid until the answer is sent.</param>
/// <param name="Deadline">When the platform kills the process.</param>
internal readonly record struct Invocation(string RequestId, ReadOnlyMemory<byte> Event, DateTimeOffset Deadline);

/// <summary>A client of the Lambda Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). Handles one invocation at a time.</summary>
/// <param name="http">A client without a timeout: <c>next</c> waits as long as there is nothing to do.</param>
/// <param name="address"><c>host:port</c> of the API, from <c>AWS_LAMBDA_RUNTIME_API</c>.</param>
internal sealed class LambdaRuntime(HttpClient http, string address)
{
    private readonly string _base = $"http://{address}/2018-06-01/runtime";
    private readonly LineBuffer _event = new(256 * 1024);
    private readonly LineBuffer _answer = new(4 * 1024);

    /// <summary>Tells the platform that the function cannot start.</summary>
    public Task ReportInitErrorAsync(string type, string message) => PostErrorAsync($"{_base}/init/error", type, message);

    /// <summary>Takes invocations until the process is killed.</summary>
    public async Task RunAsync(Func<Invocation, LineBuffer, Task> handler)
    {
        while (true)
        {
            var invocation = await NextAsync();
            _answer.Clear();
            try
            {
                await handler(invocation, _answer);
            }
            catch (FormatException error)
            {
                await PostErrorAsync($"{_base}/invocation/{invocation.RequestId}/error", "Function.MalformedEvent", error.Message);
                continue;
            }

            using var content = new ReadOnlyMemoryContent(_answer.Written);
            using var response = await http.PostAsync($"{_base}/invocation/{invocation.RequestId}/response", content);
            if (response.StatusCode != HttpStatusCode.Accepted)
                Console.Error.WriteLine($"The Runtime API answered {(int)response.StatusCode} to the response of {invocation.RequestId}.");
        }
    }

    private async Task<Invocation> NextAsync()
    {
        using var response = await http.GetAsync($"{_base}/invocation/next", HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        _event.Clear();
        await using var body = await response.Content.ReadAsStreamAsync();
        int read;
        while ((read = await body.ReadAsync(_event.ReserveMemory(64 * 1024))) > 0)
            _event.Advance(read);

        var deadline = long.Parse(Header(response, "Lambda-Runtime-Deadline-Ms"), CultureInfo.InvariantCulture);
        return new Invocation(Header(response, "Lambda-Runtime-Aws-Request-Id"), _event.Written, DateTimeOffset.FromUnixTimeMilliseconds(deadline));
    }

    private static string Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.First() : throw new HttpRequestException($"The Runtime API sent no {name}.");

    private async Task PostErrorAsync(string uri, string type, string message)
    {
        using var content = new ReadOnlyMemoryContent(ErrorBody(type, message));
        using var request = new HttpRequestMessage(HttpMethod.Post, uri) { Content = content };
        request.Headers.TryAddWithoutValidation("Lambda-Runtime-Function-Error-Type", type);
        using var response = await http.SendAsync(request);
    }

    private static byte[] ErrorBody(string type, string message)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("errorType", type);
            json.WriteString("errorMessage", message);
            json.WriteStartArray("stackTrace");
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }
}
