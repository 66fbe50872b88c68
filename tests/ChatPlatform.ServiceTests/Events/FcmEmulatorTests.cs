using System.Net.Http.Json;
using System.Text.Json;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Events;

public sealed class FcmEmulatorTests(FcmEmulatorTests.Emulator emulator) : IClassFixture<FcmEmulatorTests.Emulator>
{
    private static readonly HttpClient Http = new();

    [Theory]
    [InlineData("""{"message":{"token":"t"}}""", true, 200, null)]
    [InlineData("""{"message":{"token":"t"}}""", false, 401, "UNAUTHENTICATED")]
    [InlineData("""{"message":{}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","topic":"x"}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","data":{"seq":1}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","data":{"from":"x"}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","colour":"red"}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","android":{"priority":"URGENT"}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","android":{"priority":5}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","android":{"notification":{"notification_count":-1}}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","android":{"notification":{"colour":"red"}}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","android":{"ttl":"5"}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","apns":{"headers":{"apns-priority":10}}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","apns":{"payload":"x"}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","notification":{"title":5}}}""", true, 400, "INVALID_ARGUMENT")]
    [InlineData("""{"message":{"token":"t","apns":{"headers":{"apns-priority":"10"},"payload":{"aps":{"badge":3}}}}}""", true, 200, null)]
    [InlineData("""{"message":{"topic":"news"}}""", true, 501, "UNIMPLEMENTED")]
    [InlineData("[", true, 400, "INVALID_ARGUMENT")]
    [InlineData("[]", true, 400, "INVALID_ARGUMENT")]
    public async Task Fcm_validates_as_its_reference_says(string body, bool bearer, int status, string? code)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, emulator.Url + "/v1/projects/p/messages:send") { Content = new StringContent(body, null, "application/json") };
        if (bearer)
            request.Headers.Authorization = new("Bearer", "x");
        using var answer = await Http.SendAsync(request);
        ((int)answer.StatusCode).ShouldBe(status);
        var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
        if (code is null)
            json.GetProperty("name").GetString()!.ShouldStartWith("projects/p/messages/");
        else
            json.GetProperty("error").GetProperty("status").GetString().ShouldBe(code);
    }

    [Theory]
    [InlineData(4_096, 200)]
    [InlineData(4_097, 400)]
    public async Task A_payload_of_more_than_4_096_bytes_is_refused(int bytes, int status)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, emulator.Url + "/v1/projects/p/messages:send")
        {
            Content = JsonContent.Create(new { message = new { token = "t", data = new Dictionary<string, string> { ["key"] = new string('x', bytes - 3) } } }),
        };
        request.Headers.Authorization = new("Bearer", "x");
        using var answer = await Http.SendAsync(request);
        ((int)answer.StatusCode).ShouldBe(status);
    }

    [Theory]
    [InlineData("429", 429, "QUOTA_EXCEEDED", "7")]
    [InlineData("503", 503, "UNAVAILABLE", "7")]
    [InlineData("500", 500, "INTERNAL", null)]
    [InlineData("UNREGISTERED", 404, "UNREGISTERED", null)]
    [InlineData("SENDER_ID_MISMATCH", 403, "SENDER_ID_MISMATCH", null)]
    public async Task A_fault_that_was_asked_for_comes_once_and_looks_as_fcm_s_own(string fault, int status, string code, string? retryAfter)
    {
        var token = "faulty-" + fault;
        (await Http.PostAsJsonAsync(emulator.Url + "/_fcm/faults", new { error = fault, count = 1, retryAfterSeconds = 7, token })).EnsureSuccessStatusCode();
        using var failed = await SendAsync(token);
        ((int)failed.StatusCode).ShouldBe(status);
        failed.Headers.RetryAfter?.ToString().ShouldBe(retryAfter);
        var error = (await failed.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        error.GetProperty("code").GetInt32().ShouldBe(status);
        error.GetProperty("details")[0].GetProperty("@type").GetString().ShouldBe("type.googleapis.com/google.firebase.fcm.v1.FcmError");
        error.GetProperty("details")[0].GetProperty("errorCode").GetString().ShouldBe(code);
        using var after = await SendAsync(token);
        after.IsSuccessStatusCode.ShouldBeTrue();
    }

    private async Task<HttpResponseMessage> SendAsync(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, emulator.Url + "/v1/projects/p/messages:send") { Content = JsonContent.Create(new { message = new { token } }) };
        request.Headers.Authorization = new("Bearer", "x");
        return await Http.SendAsync(request);
    }

    public sealed class Emulator : IAsyncLifetime
    {
        private ServiceProcess? _process;

        public string Url { get; } = $"http://127.0.0.1:{ServiceProcess.FreePort()}";

        public Task InitializeAsync()
        {
            _process = ServiceProcess.StartService("services/local/ChatPlatform.FcmEmulator", new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = Url });
            return _process.WaitForHealthAsync(Url + "/health");
        }

        public async Task DisposeAsync() => await _process!.DisposeAsync();
    }
}
