namespace ChatPlatform.LambdaEmulator.Protocol;

/// <summary>An error of the Lambda API: <paramref name="type"/> goes into <c>x-amzn-ErrorType</c>, which SDKs branch on (https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html).</summary>
internal sealed class LambdaException(string type, string message, int status = 400) : Exception(message)
{
    public string Type { get; } = type;

    public int Status { get; } = status;

    /// <summary>A parameter is wrong, or is one that this emulator does not honour.</summary>
    public static LambdaException Invalid(string message) => new("InvalidParameterValueException", message);

    public static LambdaException NotFound(string message) => new("ResourceNotFoundException", message, 404);

    public static LambdaException Throttled(string message) => new("TooManyRequestsException", message, 429);
}
