namespace Aspire.Hosting.Orchestration;

/// <summary>Placeholders in values that differ from copy to copy; each copy puts its own in their place.</summary>
internal static class InstanceTokens
{
    /// <summary>The last part of the copy's id.</summary>
    public const string Suffix = "{{- instance.suffix -}}";

    public static string TargetPort(string resourceName, string endpointName) => $"{{{{- portForServing \"{resourceName}/{endpointName}\" -}}}}";
}
