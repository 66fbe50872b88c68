using System.Buffers;

namespace ChatPlatform.LocalAws.Protocol;

/// <summary>
/// One AWS service that speaks the AWS JSON protocol: <c>POST /</c> with <c>X-Amz-Target: PREFIX.Operation</c>
/// (https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html). Implementations are thread-safe.
/// </summary>
internal interface IAwsJsonService : IAwsService
{
    /// <summary>What stands before the dot in <c>X-Amz-Target</c>, e.g. <c>DynamoDB_20120810</c>.</summary>
    string TargetPrefix { get; }

    /// <summary><c>application/x-amz-json-1.0</c> or <c>application/x-amz-json-1.1</c>.</summary>
    string ContentType { get; }

    /// <summary>Carries out one operation and writes the JSON answer.</summary>
    /// <exception cref="AwsException">The error to answer, as the service itself would give it.</exception>
    ValueTask HandleAsync(string operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer, CancellationToken cancellationToken);
}
