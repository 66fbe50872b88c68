using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using ChatPlatform.LocalAwsModel;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>
/// The model of <see cref="ModelClient"/> against the real process, which is killed again and again in the middle of its work and started on the same data folder:
/// no acknowledged write is lost, none happens twice, no transaction is torn, and the streams hold exactly the writes, in order. Snapshots are taken every few MB,
/// so that kills meet them too. <c>LOCALAWS_CRASH_OPERATIONS</c>, <c>LOCALAWS_CRASH_KILLS</c> and <c>LOCALAWS_CRASH_SEED</c> choose another size and an earlier run's seed.
/// </summary>
public sealed class RandomisedCrashTests : IDisposable
{
    private const int Clients = 12;
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task However_often_it_is_killed_the_process_agrees_with_the_model_and_with_the_streams()
    {
        var operations = Setting("LOCALAWS_CRASH_OPERATIONS", 30_000);
        var kills = Setting("LOCALAWS_CRASH_KILLS", 8);
        var seed = Setting("LOCALAWS_CRASH_SEED", Random.Shared.Next());
        var random = new Random(seed);
        var run = new ModelRun(Clients, seed);
        var settings = new Dictionary<string, string?> { ["DynamoDb__SnapshotAfterBytes"] = "4194304", ["Logging__LogLevel__Default"] = "Warning" };
        try
        {
            for (var round = 0; round <= kills; round++)
            {
                await using var running = await RunningLocalAws.StartAsync(_folder, settings);
                using var http = new HttpTransport(running.Url);
                if (round == 0)
                    await ModelRun.PrepareAsync(http.SendAsync);
                else
                    await run.CompareAsync(http.SendAsync);
                var goal = (long)operations * (round + 1) / (kills + 1);
                if (round == kills)
                {
                    await run.WorkAsync(http.SendAsync, goal);
                    await run.CompareAsync(http.SendAsync);
                    break;
                }

                var work = run.WorkAsync(http.SendAsync, long.MaxValue);
                await running.Process.WaitForAsync(() => Task.FromResult(run.Done >= goal || work.IsCompleted), $"{goal} operations", TimeSpan.FromMinutes(10));
                await Task.Delay(random.Next(30));
                await running.Process.KillAsync();
                await work;
            }
        }
        catch (Exception error)
        {
            throw new ModelMismatchException($"LOCALAWS_CRASH_SEED={seed}, after {run.Done} operations: {error}");
        }

        run.Done.ShouldBeGreaterThanOrEqualTo(operations);
    }

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>Bare HTTP on connections that are kept, without an SDK's retries: a request is sent once, and a connection that breaks leaves its outcome unknown.</summary>
    private sealed class HttpTransport(string url) : IDisposable
    {
        private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, ActivityHeadersPropagator = null });
        private readonly Uri _address = new(url);

        public async Task<ModelAnswer> SendAsync(string target, ReadOnlyMemory<byte> body)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, _address) { Content = new ReadOnlyMemoryContent(body), Version = HttpVersion.Version11 };
            request.Headers.TryAddWithoutValidation("X-Amz-Target", target);
            request.Headers.TryAddWithoutValidation("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260511/ap-northeast-2/dynamodb/aws4_request");
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-amz-json-1.0");
            try
            {
                using var answer = await _http.SendAsync(request, CancellationToken.None);
                var document = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync());
                var error = answer.IsSuccessStatusCode ? null : document.RootElement.GetProperty("__type").GetString()!.Split('#')[^1];
                return new ModelAnswer(error, document);
            }
            catch (Exception gone) when (gone is HttpRequestException or IOException)
            {
                throw new ConnectionLostException(gone);
            }
        }

        public void Dispose() => _http.Dispose();
    }
}
