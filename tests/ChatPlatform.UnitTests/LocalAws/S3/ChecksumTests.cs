using System.Text;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.UnitTests.LocalAws.S3;

public sealed class ChecksumTests
{
    /// <summary>Check values of "123456789": https://reveng.sourceforge.io/crc-catalogue/all.htm; SHA: FIPS 180-4 implementations of .NET.</summary>
    [Theory]
    [InlineData("CRC32", "CBF43926")]
    [InlineData("CRC32C", "E3069283")]
    [InlineData("CRC64NVME", "AE8B14860A799888")]
    [InlineData("SHA1", "F7C3BC1D808E04732ADF679965CCC34CA7AE3441")]
    [InlineData("SHA256", "15E2B0D3C33891EBB0F1EF609EC419420C20E320CE94C65FBC8C3312448EB225")]
    public void Each_algorithm_gives_its_published_check_value(string algorithm, string hex) =>
        Checksum.Of(algorithm, "123456789"u8).ShouldBe(Convert.ToBase64String(Convert.FromHexString(hex)));

    [Theory]
    [InlineData("CRC32")]
    [InlineData("CRC32C")]
    [InlineData("CRC64NVME")]
    public void Splitting_the_input_anywhere_changes_nothing(string algorithm)
    {
        var bytes = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 40)));
        for (var at = 0; at <= bytes.Length; at++)
        {
            using var checksum = new Checksum(algorithm);
            checksum.Append(bytes.AsSpan(0, at));
            checksum.Append(bytes.AsSpan(at));
            checksum.ToBase64().ShouldBe(Checksum.Of(algorithm, bytes));
        }
    }
}
