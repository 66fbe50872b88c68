using System.Text.Json.Nodes;

namespace ChatPlatform.SystemTests.Eks;

/// <summary>The controls of the restricted Pod Security Standard, baseline's among them (https://kubernetes.io/docs/concepts/security/pod-security-standards/).</summary>
internal static class PodSecurity
{
    private static readonly string[] Volumes = ["name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

    /// <summary>What breaks it, in words, sorted.</summary>
    public static IEnumerable<string> Breaches(JsonObject pod) => Of(pod).Order(StringComparer.Ordinal);

    private static IEnumerable<string> Of(JsonObject pod)
    {
        foreach (var host in (string[])["hostNetwork", "hostPID", "hostIPC"])
        {
            if (pod[host] is not null)
                yield return $"{host} is set";
        }

        foreach (var volume in pod["volumes"]?.AsArray() ?? [])
        {
            foreach (var (kind, _) in volume!.AsObject().Where(member => !Volumes.Contains(member.Key)))
                yield return $"{kind} volume '{volume["name"]}'";
        }

        var security = pod["securityContext"]?.AsObject() ?? [];
        if ((bool?)security["runAsNonRoot"] != true)
            yield return "runAsNonRoot is not true";
        if ((int?)security["runAsUser"] == 0)
            yield return "runAsUser is 0";
        if ((string?)security["seccompProfile"]?["type"] is not ("RuntimeDefault" or "Localhost"))
            yield return "no seccomp profile";
        if (security["sysctls"] is not null || security["seLinuxOptions"] is not null || security["windowsOptions"] is not null || security["appArmorProfile"] is not null)
            yield return "an option of the host's security is set";

        foreach (var container in (pod["containers"]?.AsArray() ?? []).Concat(pod["initContainers"]?.AsArray() ?? []))
        {
            var own = container!["securityContext"]?.AsObject() ?? [];
            if (own["privileged"] is not null || own["procMount"] is not null || own["runAsNonRoot"] is not null || own["runAsUser"] is not null || own["seccompProfile"] is not null)
                yield return $"container '{container["name"]}' has options of its own";
            if ((bool?)own["allowPrivilegeEscalation"] != false)
                yield return $"container '{container["name"]}' may escalate";
            if (own["capabilities"]?["drop"]?.ToJsonString() != """["ALL"]""" || own["capabilities"]!["add"] is not null)
                yield return $"container '{container["name"]}' has capabilities";
            // Beyond the standard.
            if ((bool?)own["readOnlyRootFilesystem"] != true)
                yield return $"container '{container["name"]}' can write its root";
            foreach (var port in container["ports"]?.AsArray() ?? [])
            {
                if (port!["hostPort"] is not null)
                    yield return $"container '{container["name"]}' has a host port";
            }
        }
    }
}
