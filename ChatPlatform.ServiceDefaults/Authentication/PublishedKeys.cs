using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace ChatPlatform.ServiceDefaults.Authentication;

/// <summary>
/// The public keys of an identity provider (<see cref="JwtOptions.JwksUrl"/>, RFC 7517), cached. A token with an unknown key id makes them be read again, at most once per
/// <see cref="JwtOptions.JwksFloor"/> whatever tokens come. While the endpoint is away the last good keys stay in use. Keys that cannot check a signature of an allowed algorithm, symmetric
/// ones above all, are passed over. Thread-safe.
/// </summary>
public sealed partial class PublishedKeys : IDisposable
{
    private const int MinimumRsaBits = 2_048;
    private const long MaxDocumentBytes = 1024 * 1024;

    private readonly JwtOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<PublishedKeys> _logger;
    private readonly HttpClient _http;
    private readonly Lock _lock = new();

    private volatile IReadOnlyList<JsonWebKey> _keys = [];

    // Guarded by the lock.
    private Task _reading = Task.CompletedTask;
    private long? _askedAt;
    private long? _readAt;

    public PublishedKeys(IOptions<JwtOptions> options, TimeProvider time, ILogger<PublishedKeys> logger)
        : this(options, time, logger, new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(2) })
    {
    }

    internal PublishedKeys(IOptions<JwtOptions> options, TimeProvider time, ILogger<PublishedKeys> logger, HttpMessageHandler handler)
    {
        _options = options.Value;
        _time = time;
        _logger = logger;
        _http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(5), MaxResponseContentBufferSize = MaxDocumentBytes };
    }

    /// <summary>The key that a token names, if it is one for <paramref name="algorithm"/>; without a name, the only one there is for it. Null when there is none.</summary>
    public async Task<SecurityKey?> FindAsync(string? keyId, string algorithm)
    {
        if (_options.JwksUrl is null)
            return null;
        if (Find(keyId, algorithm) is { } known)
        {
            // Old keys are good while newer ones are on their way.
            _ = StartReading(isMissing: false);
            return known;
        }

        await StartReading(isMissing: true);
        return Find(keyId, algorithm);
    }

    public void Dispose() => _http.Dispose();

    private JsonWebKey? Find(string? keyId, string algorithm)
    {
        var fitting = _keys.Where(key => Fits(key, algorithm) && (string.IsNullOrEmpty(keyId) || key.Kid == keyId)).Take(2).ToList();
        return fitting.Count == 1 ? fitting[0] : null;
    }

    private Task StartReading(bool isMissing)
    {
        lock (_lock)
        {
            if (!_reading.IsCompleted)
                return _reading;
            var isOld = _readAt is not { } read || _time.GetElapsedTime(read) >= _options.JwksLifetime;
            var mayAsk = _askedAt is not { } asked || _time.GetElapsedTime(asked) >= _options.JwksFloor;
            if (!(isOld || isMissing) || !mayAsk)
                return Task.CompletedTask;
            _askedAt = _time.GetTimestamp();
            return _reading = ReadAsync();
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            var document = new JsonWebKeySet(await _http.GetStringAsync(_options.JwksUrl));
            var keys = document.Keys.Where(key => Algorithms(key).Any()).ToList();
            if (keys.Count == 0)
                throw new InvalidDataException("it holds no key that could check a signature");
            _keys = keys;
            lock (_lock)
                _readAt = _time.GetTimestamp();
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException or ArgumentException or InvalidDataException or System.Text.Json.JsonException)
        {
            Log.Unreadable(_logger, _options.JwksUrl!, error.Message, _keys.Count);
        }
    }

    private static bool Fits(JsonWebKey key, string algorithm) => Algorithms(key).Contains(algorithm, StringComparer.Ordinal);

    /// <summary>RFC 7518 §3.1: what a key may check. A key's own <c>alg</c> narrows that.</summary>
    private static IEnumerable<string> Algorithms(JsonWebKey key)
    {
        if (key.Use is { Length: > 0 } use && use != JsonWebKeyUseNames.Sig)
            return [];
        string[] all = key.Kty switch
        {
            JsonWebAlgorithmsKeyTypes.RSA when key.KeySize >= MinimumRsaBits =>
            [
                SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
                SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
            ],
            JsonWebAlgorithmsKeyTypes.EllipticCurve => key.Crv switch
            {
                JsonWebKeyECTypes.P256 => [SecurityAlgorithms.EcdsaSha256],
                JsonWebKeyECTypes.P384 => [SecurityAlgorithms.EcdsaSha384],
                JsonWebKeyECTypes.P521 => [SecurityAlgorithms.EcdsaSha512],
                _ => [],
            },
            _ => [],
        };
        return string.IsNullOrEmpty(key.Alg) ? all : all.Where(algorithm => algorithm == key.Alg);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The published keys at {Url} cannot be read ({Reason}); the {Count} known ones stay in use.")]
        public static partial void Unreadable(ILogger logger, Uri url, string reason, int count);
    }
}
