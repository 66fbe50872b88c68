using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>The five additional checksums of https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html.</summary>
internal static class ChecksumAlgorithms
{
    public const string Crc32 = "CRC32";
    public const string Crc32C = "CRC32C";
    public const string Crc64Nvme = "CRC64NVME";
    public const string Sha1 = "SHA1";
    public const string Sha256 = "SHA256";

    public static IReadOnlyList<string> All { get; } = [Crc32, Crc32C, Crc64Nvme, Sha1, Sha256];

    /// <summary>The header, or trailer, that carries the base64 value, e.g. <c>x-amz-checksum-crc32</c>.</summary>
    public static string Header(string algorithm) => "x-amz-checksum-" + algorithm.ToLowerInvariant();

    public static int LengthInBytes(string algorithm) => algorithm switch
    {
        Crc32 or Crc32C => 4,
        Crc64Nvme => 8,
        Sha1 => SHA1.HashSizeInBytes,
        _ => SHA256.HashSizeInBytes,
    };
}

/// <summary>One running checksum. Not thread-safe.</summary>
internal sealed class Checksum : IDisposable
{
    private readonly IncrementalHash? _hash;
    private readonly ReflectedCrc? _crc;
    private ulong _state;

    /// <param name="algorithm">One of <see cref="ChecksumAlgorithms.All"/>.</param>
    public Checksum(string algorithm)
    {
        Algorithm = algorithm;
        _crc = algorithm switch
        {
            ChecksumAlgorithms.Crc32 => ReflectedCrc.Crc32,
            ChecksumAlgorithms.Crc32C => ReflectedCrc.Crc32C,
            ChecksumAlgorithms.Crc64Nvme => ReflectedCrc.Crc64Nvme,
            _ => null,
        };
        _hash = algorithm switch
        {
            ChecksumAlgorithms.Sha1 => IncrementalHash.CreateHash(HashAlgorithmName.SHA1),
            ChecksumAlgorithms.Sha256 => IncrementalHash.CreateHash(HashAlgorithmName.SHA256),
            _ => null,
        };
        if (_crc is null && _hash is null)
            throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, $"Allowed: {string.Join(", ", ChecksumAlgorithms.All)}.");
    }

    public string Algorithm { get; }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_crc is not null)
            _state = _crc.Append(_state, bytes);
        else
            _hash!.AppendData(bytes);
    }

    /// <summary>The value of all bytes so far, big-endian for a CRC, in base64.</summary>
    public string ToBase64()
    {
        if (_hash is not null)
            return Convert.ToBase64String(_hash.GetCurrentHash());
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _state);
        return Convert.ToBase64String(bytes[^ChecksumAlgorithms.LengthInBytes(Algorithm)..]);
    }

    public static string Of(string algorithm, ReadOnlySpan<byte> bytes)
    {
        using var checksum = new Checksum(algorithm);
        checksum.Append(bytes);
        return checksum.ToBase64();
    }

    public void Dispose() => _hash?.Dispose();
}

/// <summary>
/// A CRC whose bits are reflected and whose register starts and ends inverted, eight bytes at a step (slicing-by-8).
/// Parameters: https://reveng.sourceforge.io/crc-catalogue/all.htm (CRC-32/ISO-HDLC, CRC-32/ISCSI, CRC-64/NVME). Thread-safe.
/// </summary>
internal sealed class ReflectedCrc
{
    private readonly ulong[] _tables = new ulong[8 * 256];
    private readonly ulong _mask;

    private ReflectedCrc(ulong polynomial, int bits)
    {
        _mask = ulong.MaxValue >> (64 - bits);
        for (var value = 0; value < 256; value++)
        {
            var register = (ulong)value;
            for (var bit = 0; bit < 8; bit++)
                register = (register & 1) != 0 ? (register >> 1) ^ polynomial : register >> 1;
            _tables[value] = register;
        }

        for (var i = 256; i < _tables.Length; i++)
            _tables[i] = (_tables[i - 256] >> 8) ^ _tables[_tables[i - 256] & 0xFF];
    }

    public static ReflectedCrc Crc32 { get; } = new(0xEDB88320, 32);

    public static ReflectedCrc Crc32C { get; } = new(0x82F63B78, 32);

    public static ReflectedCrc Crc64Nvme { get; } = new(0x9A6C9329AC4BC9B5, 64);

    /// <summary>Goes on from <paramref name="crc"/>, the value of what came before (0 for nothing).</summary>
    public ulong Append(ulong crc, ReadOnlySpan<byte> bytes)
    {
        var register = ~crc & _mask;
        var tables = _tables;
        while (bytes.Length >= 8)
        {
            var word = register ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            register = tables[(7 * 256) + (int)(word & 0xFF)] ^ tables[(6 * 256) + (int)((word >> 8) & 0xFF)]
                ^ tables[(5 * 256) + (int)((word >> 16) & 0xFF)] ^ tables[(4 * 256) + (int)((word >> 24) & 0xFF)]
                ^ tables[(3 * 256) + (int)((word >> 32) & 0xFF)] ^ tables[(2 * 256) + (int)((word >> 40) & 0xFF)]
                ^ tables[256 + (int)((word >> 48) & 0xFF)] ^ tables[(int)(word >> 56)];
            bytes = bytes[8..];
        }

        foreach (var value in bytes)
            register = (register >> 8) ^ tables[(int)((register ^ value) & 0xFF)];
        return ~register & _mask;
    }
}
