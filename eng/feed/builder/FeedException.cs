namespace FeedBuilder;

/// <summary>Something the person at the console can put right. The message is one line: the cause, a semicolon, the remedy.</summary>
internal class FeedException(string message) : Exception(message);

/// <summary>A package source gave no answer, or none that can be read.</summary>
internal sealed class UnreachableSourceException(string message) : FeedException(message);
