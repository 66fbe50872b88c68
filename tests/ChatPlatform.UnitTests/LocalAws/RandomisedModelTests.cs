using System.Globalization;
using ChatPlatform.LocalAwsModel;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>
/// Operations of several clients, every answer compared with a model (see <see cref="ModelClient"/>), through the whole request path with the log on disk.
/// After each round all tables and streams are compared, the store is closed and opened again over its folder, and a day passes, so that recovery, snapshots
/// and the streams' retention take part. <c>LOCALAWS_MODEL_OPERATIONS</c> and <c>LOCALAWS_MODEL_SEED</c> choose another size and an earlier run's seed.
/// </summary>
public sealed class RandomisedModelTests : IDisposable
{
    private const int Clients = 8;
    private const int Rounds = 10;
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Operations_of_several_clients_agree_with_the_model_and_with_the_streams()
    {
        var operations = Setting("LOCALAWS_MODEL_OPERATIONS", 60_000);
        var seed = Setting("LOCALAWS_MODEL_SEED", Random.Shared.Next());
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 5, 11, 12, 0, 0, TimeSpan.Zero));
        var run = new ModelRun(Clients, seed);
        try
        {
            for (var round = 1; round <= Rounds; round++)
            {
                await using var store = new LocalAwsServices(_folder, time, ("DynamoDb:SnapshotAfterBytes", "8388608"));
                if (round == 1)
                    await ModelRun.PrepareAsync(store.AnswerAsync);
                await run.WorkAsync(store.AnswerAsync, (long)operations * round / Rounds);
                await run.CompareAsync(store.AnswerAsync);
                time.Advance(TimeSpan.FromHours(25));
                store.Store.Sweep();
            }
        }
        catch (Exception error)
        {
            throw new ModelMismatchException($"LOCALAWS_MODEL_SEED={seed}, after {run.Done} operations: {error}");
        }

        run.Done.ShouldBeGreaterThanOrEqualTo(operations);
    }

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
