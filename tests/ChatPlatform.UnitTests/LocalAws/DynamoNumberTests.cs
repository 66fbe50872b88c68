using System.Globalization;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number</summary>
public sealed class DynamoNumberTests
{
    [Theory]
    [InlineData("0", "0")]
    [InlineData("-0", "0")]
    [InlineData("000.000", "0")]
    [InlineData("1", "1")]
    [InlineData("+1", "1")]
    [InlineData("-1.50e2", "-150")]
    [InlineData("0010.0100", "10.01")]
    [InlineData(".5", "0.5")]
    [InlineData("5.", "5")]
    [InlineData("1e-3", "0.001")]
    [InlineData("1E+3", "1000")]
    [InlineData("99999999999999999999999999999999999999", "99999999999999999999999999999999999999")]
    [InlineData("-0.00000000000000000000000000000000000012345", "-0.00000000000000000000000000000000000012345")]
    [InlineData("1234567890123456789.0123456789012345678", "1234567890123456789.0123456789012345678")]
    public void A_number_comes_back_in_plain_decimal_without_needless_zeros(string text, string expected) => RoundTrip(text).ShouldBe(expected);

    [Theory]
    [InlineData("", "cannot be converted to a numeric value")]
    [InlineData("abc", "cannot be converted to a numeric value")]
    [InlineData("1.2.3", "cannot be converted to a numeric value")]
    [InlineData("1e", "cannot be converted to a numeric value")]
    [InlineData(" 1", "cannot be converted to a numeric value")]
    [InlineData("NaN", "cannot be converted to a numeric value")]
    [InlineData("-", "cannot be converted to a numeric value")]
    [InlineData("0x10", "cannot be converted to a numeric value")]
    [InlineData("123456789012345678901234567890123456789", "more than 38 significant digits")]
    [InlineData("1e126", "Number overflow")]
    [InlineData("1e-131", "Number underflow")]
    public void What_is_no_number_of_DynamoDB_is_refused(string text, string message) =>
        Should.Throw<AwsException>(() => RoundTrip(text)).Message.ShouldContain(message);

    [Fact]
    public void The_limits_of_magnitude_are_kept()
    {
        RoundTrip("1e125").ShouldBe("1" + new string('0', 125));
        RoundTrip("1e-130").ShouldBe("0." + new string('0', 129) + "1");
        RoundTrip("-9.9999999999999999999999999999999999999E+125").ShouldStartWith("-99999");
    }

    [Fact]
    public void Byte_order_is_numeric_order()
    {
        var random = new Random(20260511);
        var numbers = new List<decimal> { 0, 1, -1, 0.1m, -0.1m, 9, 10, 11, 99, 100, 101, -9, -10, -11, -99, -100, -101, 1.2m, 1.23m, -1.2m, -1.23m };
        for (var i = 0; i < 2_000; i++)
            numbers.Add(Math.Round((decimal)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-6, 12))), random.Next(0, 12)));
        for (var i = 0; i < 20_000; i++)
        {
            var (a, b) = (numbers[random.Next(numbers.Count)], numbers[random.Next(numbers.Count)]);
            Math.Sign(Encode(a).AsSpan().SequenceCompareTo(Encode(b))).ShouldBe(a.CompareTo(b), $"{a} against {b}");
        }
    }

    [Fact]
    public void Sums_are_exact()
    {
        var random = new Random(7);
        for (var i = 0; i < 5_000; i++)
        {
            var a = Math.Round((decimal)(random.NextDouble() - 0.5) * 1_000_000, random.Next(0, 9));
            var b = Math.Round((decimal)(random.NextDouble() - 0.5) * 1_000, random.Next(0, 9));
            DynamoNumber.Format(DynamoNumber.Add(Encode(a), Encode(b), subtract: false)).ShouldBe(Text(a + b));
            DynamoNumber.Format(DynamoNumber.Add(Encode(a), Encode(b), subtract: true)).ShouldBe(Text(a - b));
        }
    }

    private static string Text(decimal value) => RoundTrip(value.ToString(CultureInfo.InvariantCulture));

    private static byte[] Encode(decimal value)
    {
        var buffer = new byte[DynamoNumber.MaxEncodedLength];
        return buffer[..DynamoNumber.Encode(value.ToString(CultureInfo.InvariantCulture), buffer)];
    }

    private static string RoundTrip(string text)
    {
        var buffer = new byte[DynamoNumber.MaxEncodedLength];
        return DynamoNumber.Format(buffer.AsSpan(0, DynamoNumber.Encode(text, buffer)));
    }
}
