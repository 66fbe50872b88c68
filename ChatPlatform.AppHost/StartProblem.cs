namespace ChatPlatform.AppHost;

/// <summary>Something the person at the desk can mend: a taken port, a program that is missing, an unknown profile. The message names the cause and the remedy in one line.</summary>
internal sealed class StartProblem(string message) : Exception(message)
{
    /// <summary>Makes an unhandled <see cref="StartProblem"/> end the process with its one line and exit code 1 instead of a stack trace.</summary>
    public static void EndsTheProcessWithOneLine() => AppDomain.CurrentDomain.UnhandledException += (_, unhandled) =>
    {
        if (unhandled.ExceptionObject is not StartProblem problem)
            return;
        Console.Error.WriteLine($"chat: {problem.Message}");
        Environment.Exit(1);
    };
}
