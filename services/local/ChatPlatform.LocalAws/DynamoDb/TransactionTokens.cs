using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using ChatPlatform.LocalAws.Storage;

namespace ChatPlatform.LocalAws.DynamoDb;

/// <summary>A <c>ClientRequestToken</c> and the request that it was sent with, both as half of their SHA-256: a busy chat has millions in ten minutes.</summary>
/// <param name="Id">Of the token.</param>
/// <param name="Request">Of the transaction.</param>
internal readonly record struct TransactionToken(UInt128 Id, UInt128 Request)
{
    /// <summary>Bytes of each half in the log.</summary>
    public const int HalfLength = 16;

    public static TransactionToken Of(string token, ReadOnlySpan<byte> request) => new(IdOf(token), Half(SHA256.HashData(request)));

    /// <summary>One that is in the log; earlier programs wrote the token's text and the whole hash.</summary>
    public static TransactionToken Read(ReadOnlySpan<byte> token, ReadOnlySpan<byte> request) =>
        new(request.Length == HalfLength ? Half(token) : IdOf(Encoding.UTF8.GetString(token)), Half(request));

    private static UInt128 IdOf(string token) => Half(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private static UInt128 Half(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt128LittleEndian(bytes);
}

/// <summary>The tokens of the last ten minutes. Not thread-safe: the store's lock guards it.</summary>
internal sealed class TransactionTokens
{
    /// <summary>How long a token is remembered (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    /// <summary>Many small tables: one that grows is copied while the store's lock is held.</summary>
    private readonly Dictionary<UInt128, (UInt128 Request, long Time)>[] _byId = [.. Enumerable.Range(0, 256).Select(_ => new Dictionary<UInt128, (UInt128, long)>())];
    private readonly AppendList<(TransactionToken Token, long Time)> _inOrder = new();

    /// <summary>The request that was committed with a token in the last ten minutes.</summary>
    public UInt128? Find(UInt128 id, DateTimeOffset now) => Table(id).TryGetValue(id, out var known) && known.Time >= Horizon(now) ? known.Request : null;

    /// <param name="time">Epoch milliseconds.</param>
    public void Remember(TransactionToken token, long time)
    {
        Table(token.Id)[token.Id] = (token.Request, time);
        _inOrder.Add((token, time));
    }

    public void Forget(DateTimeOffset now)
    {
        for (var horizon = Horizon(now); _inOrder.Count > 0 && _inOrder[0].Time < horizon; _inOrder.RemoveFirst(1))
        {
            // A token that was used again is remembered by its later use.
            var id = _inOrder[0].Token.Id;
            if (Table(id).TryGetValue(id, out var known) && known.Time < horizon)
                Table(id).Remove(id);
        }
    }

    /// <summary>All of them as they are now, to be read later and without the lock.</summary>
    public IEnumerable<(TransactionToken Token, long Time)> Freeze() => _inOrder.Freeze();

    private static long Horizon(DateTimeOffset now) => (now - Lifetime).ToUnixTimeMilliseconds();

    private Dictionary<UInt128, (UInt128 Request, long Time)> Table(UInt128 id) => _byId[(byte)id];
}
