using System.Text.Json;

namespace ChatPlatform.LocalAwsModel;

/// <summary>
/// The items that all clients write. Every write names the version it found and sets the next one, so that each version has one writer at most and the sequence of versions
/// in the stream says everything: 1, 2, 3, …, each by a writer who was told so or was told nothing. The sum of balances never changes, because they move in transactions.
/// Thread-safe.
/// </summary>
internal sealed class SharedAccounts
{
    public const int Count = 8;
    public const decimal Opening = 1_000;
    private readonly Lock _gate = new();
    private readonly Dictionary<(int Account, long Version), string> _acknowledged = [];
    private readonly HashSet<(int Account, long Version, string Nonce)> _unknown = [];
    private readonly long[] _streamed = new long[Count];
    private readonly long[] _latest = new long[Count];

    public static ItemPlace Place(int account) => new(ModelTables.Things, $"account-{account}", null);

    public static int? Account(ItemPlace place) => place.Partition.StartsWith("account-", StringComparison.Ordinal) ? place.Partition[^1] - '0' : null;

    public static ModelItem Opened(int account) =>
        Place(account).Key.With("v", ModelValue.Of(0m)).With("balance", ModelValue.Of(Opening)).With("nonce", ModelValue.Of("opening"));

    public static long Version(JsonElement item) => long.Parse(item.GetProperty("v").GetProperty("N").GetString()!, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A write that the service said it made.</summary>
    public void Acknowledged(int account, long version, string nonce)
    {
        lock (_gate)
        {
            if (!_acknowledged.TryAdd((account, version), nonce))
                throw new ModelMismatchException($"Version {version} of account {account} was acknowledged to {_acknowledged[(account, version)]} and to {nonce}.");
            _latest[account] = Math.Max(_latest[account], version);
        }
    }

    /// <summary>A write without an answer.</summary>
    public void Unknown(int account, long version, string nonce)
    {
        lock (_gate)
            _unknown.Add((account, version, nonce));
    }

    /// <summary>A stream record of an account.</summary>
    public void Streamed(int account, JsonElement? old, JsonElement now)
    {
        lock (_gate)
        {
            var (version, nonce) = (Version(now), now.GetProperty("nonce").GetProperty("S").GetString()!);
            if (nonce == "opening")
            {
                if (old is not null || version != 0)
                    throw new ModelMismatchException($"Account {account} was opened twice.");
                return;
            }

            if (old is null || Version(old.Value) != version - 1 || version != ++_streamed[account])
                throw new ModelMismatchException($"The stream of account {account} has {old?.GetRawText()} -> {now.GetRawText()} where version {_streamed[account]} was due.");
            var known = _acknowledged.Remove((account, version), out var writer) ? writer == nonce : _unknown.Remove((account, version, nonce));
            if (!known)
                throw new ModelMismatchException($"Version {version} of account {account} is by {nonce}, to whom it was not acknowledged.");
            _latest[account] = Math.Max(_latest[account], version);
        }
    }

    /// <summary>Everything acknowledged was in the stream, and the table holds the latest version.</summary>
    public void RequireComplete(IReadOnlyDictionary<int, long> stored)
    {
        lock (_gate)
        {
            if (_acknowledged.Count > 0)
                throw new ModelMismatchException($"The streams lack {_acknowledged.Count} acknowledged writes of accounts, e.g. {_acknowledged.First()}.");
            _unknown.Clear();
            for (var account = 0; account < Count; account++)
            {
                if (stored[account] != _latest[account])
                    throw new ModelMismatchException($"Account {account} has version {stored[account]}, and the stream {_latest[account]}.");
            }
        }
    }
}
