using System.Text.Json;

namespace ChatPlatform.LocalAwsModel;

/// <summary>Sends one request: <c>X-Amz-Target</c> and JSON body. Called by several clients at once.</summary>
/// <exception cref="ConnectionLostException">No answer came; whether the request was carried out is unknown.</exception>
internal delegate Task<ModelAnswer> ModelTransport(string target, ReadOnlyMemory<byte> body);

/// <summary>The process on the other side is gone.</summary>
internal sealed class ConnectionLostException(Exception cause) : Exception(cause.Message, cause);

/// <summary>An answer; <paramref name="Error"/> is the error's type without its namespace, null for a success.</summary>
internal sealed record ModelAnswer(string? Error, JsonDocument Document) : IDisposable
{
    public JsonElement Body => Document.RootElement;

    public void RequireSuccess(string operation)
    {
        if (Error is not null)
            throw new ModelMismatchException($"{operation} failed: {Body.GetRawText()}");
    }

    public void Dispose() => Document.Dispose();
}

/// <summary>The service and the model disagree.</summary>
internal sealed class ModelMismatchException(string message) : Exception(message);
