namespace ChatPlatform.Relay.Sockets;

/// <summary>Why the server closes a socket (contracts §4; 4000 to 4999 are for applications, RFC 6455 §7.4.2).</summary>
internal static class CloseCodes
{
    public const int Normal = 1000;
    public const int Draining = 1001;
    public const int Unauthenticated = 4401;
    public const int Silent = 4408;
    public const int FrameTooLarge = 4413;
    public const int TooMany = 4429;
    public const int SlowConsumer = 4503;
}
