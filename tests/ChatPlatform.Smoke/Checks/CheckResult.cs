namespace ChatPlatform.Smoke.Checks;

/// <summary>What one check found.</summary>
/// <param name="Name">Short and stable, e.g. <c>websocket_every_byte</c>.</param>
/// <param name="Ok">Whether it holds.</param>
/// <param name="Detail">What was compared, or the first difference.</param>
/// <param name="Elapsed">How long the check took, waiting included.</param>
public sealed record CheckResult(string Name, bool Ok, string Detail, TimeSpan Elapsed);

/// <summary>A check that does not hold; the message is the first difference.</summary>
public sealed class CheckFailedException(string message) : Exception(message);
