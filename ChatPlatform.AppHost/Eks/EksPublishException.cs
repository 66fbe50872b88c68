namespace ChatPlatform.AppHost.Eks;

/// <summary>The app model cannot be published as it is. The message names each resource and what is missing, one a line; nothing was written.</summary>
internal sealed class EksPublishException(IEnumerable<string> problems) : DistributedApplicationException(string.Join('\n', problems));
