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
