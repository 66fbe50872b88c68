using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Eks;

/// <summary>The Kubernetes objects of the workloads: what runs, what it is told, and how it is reached and scaled.</summary>
internal sealed class KubernetesObjects(EksModel model)
{
    /// <summary>The objects of a workload, in the order in which a cluster takes them best.</summary>
    public IEnumerable<JsonObject> Of(EksWorkload workload)
    {
        yield return ServiceAccount(workload);
        if (workload.Settings.Count > 0)
            yield return ConfigMap(workload, Name(workload), workload.Settings);
        if (workload.Files.Any())
            yield return ConfigMap(workload, $"{Name(workload)}-files", workload.Files.Select(file => KeyValuePair.Create(Path.GetFileName(file.Path), File.ReadAllText(file.Source))));
        if (SecretNames(workload).Any())
            yield return ExternalSecret(workload);
        foreach (var folder in workload.SharedFolders)
            yield return Claim(workload, folder);
        foreach (var (pods, _) in Pods(workload))
        {
            yield return workload.NodeAgent is null ? Deployment(workload, pods) : DaemonSet(workload);
            foreach (var service in Services(workload, pods))
                yield return service;
            if (workload.NodeAgent is not null)
                continue;
            if (workload is { Scaling: { } scaling, IsSingleton: false })
                yield return Autoscaler(workload, pods, scaling);
            if (!workload.IsSingleton)
                yield return DisruptionBudget(workload, pods);
        }

        yield return new NetworkPolicies(model).Of(workload);
        if (workload.Annotation<EksIngress>() is not { } ingress)
            yield break;
        foreach (var edge in new LoadBalancing(model).Of(workload, ingress))
            yield return edge;
    }

    /// <summary>The two namespaces, each with the Pod Security that its pods keep, and the class of the shared folders.</summary>
    public IEnumerable<JsonObject> OfCluster()
    {
        yield return Namespace(EksNames.Namespace, "restricted");
        yield return Namespace(EksNames.AgentNamespace, "privileged");
        yield return NetworkPolicies.DenyAll(EksNames.Namespace);
        yield return NetworkPolicies.DenyAll(EksNames.AgentNamespace);
        if (model.Workloads.Any(workload => workload.SharedFolders.Any()))
            yield return SharedFolders();
    }

    /// <summary>The name of the pods of each colour and its weight; one name without a weight for what has no colours.</summary>
    public static IReadOnlyList<(string Pods, ParameterResource? Weight)> Pods(EksWorkload workload) => workload.Annotation<EksColours>() is { } colours
        ? [.. colours.Colours.Select(colour => ($"{Name(workload)}-{colour.Name}", (ParameterResource?)colour.Weight))]
        : [(Name(workload), null)];

    public static string Name(EksWorkload workload) => workload.Name.ToLowerInvariant();

    public static JsonObject Object(string apiVersion, string kind, string name, string? space, JsonObject labels) => new()
    {
        ["apiVersion"] = apiVersion,
        ["kind"] = kind,
        ["metadata"] = space is null ? new JsonObject { ["name"] = name, ["labels"] = labels } : new JsonObject { ["name"] = name, ["namespace"] = space, ["labels"] = labels },
    };

    public static JsonObject Labels(EksWorkload workload, string? pods = null)
    {
        var labels = new JsonObject { ["app.kubernetes.io/name"] = Name(workload) };
        if (pods is not null)
            labels["app.kubernetes.io/instance"] = pods;
        labels["app.kubernetes.io/part-of"] = "chat";
        return labels;
    }

    private static JsonObject Selector(string pods) => new() { ["app.kubernetes.io/instance"] = pods };

    private static JsonObject Namespace(string name, string security)
    {
        var labels = new JsonObject
        {
            ["app.kubernetes.io/part-of"] = "chat",
            ["pod-security.kubernetes.io/enforce"] = security,
            ["pod-security.kubernetes.io/enforce-version"] = "latest",
        };
        if (security == "restricted")
        {
            labels["pod-security.kubernetes.io/audit"] = security;
            labels["pod-security.kubernetes.io/warn"] = security;
        }

        return Object("v1", "Namespace", name, null, labels);
    }

    /// <summary>https://github.com/kubernetes-sigs/aws-efs-csi-driver: each claim becomes an access point that all files belong to the program's user in.</summary>
    private JsonObject SharedFolders()
    {
        var value = Object("storage.k8s.io/v1", "StorageClass", "chat-shared", null, new JsonObject { ["app.kubernetes.io/part-of"] = "chat" });
        value["provisioner"] = "efs.csi.aws.com";
        value["parameters"] = new JsonObject
        {
            ["provisioningMode"] = "efs-ap",
            ["fileSystemId"] = model.Value(model.Parameters.FileSystemId),
            ["directoryPerms"] = "700",
            ["uid"] = $"{EksNames.User}",
            ["gid"] = $"{EksNames.User}",
            ["basePath"] = "/chat",
        };
        value["mountOptions"] = new JsonArray("tls");
        // What a deleted claim held may be events that nobody has sent yet.
        value["reclaimPolicy"] = "Retain";
        value["volumeBindingMode"] = "Immediate";
        return value;
    }

    private static JsonObject ServiceAccount(EksWorkload workload)
    {
        var value = Object("v1", "ServiceAccount", Name(workload), workload.Namespace, Labels(workload));
        // Nothing here calls the Kubernetes API. The keys of AWS come from the Pod Identity agent, which the stack tells about this account.
        value["automountServiceAccountToken"] = false;
        return value;
    }

    private static JsonObject ConfigMap(EksWorkload workload, string name, IEnumerable<KeyValuePair<string, string>> data)
    {
        var value = Object("v1", "ConfigMap", name, workload.Namespace, Labels(workload));
        value["data"] = new JsonObject([.. data.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Value))]);
        return value;
    }

    private static string SecretName(EksWorkload workload) => $"{Name(workload)}-secrets";

    private static IEnumerable<string> SecretNames(EksWorkload workload) =>
        workload.Secrets.Values.Concat(workload.SecretFiles.Select(file => file.Secret)).Select(secret => secret.Name).Distinct().Order(StringComparer.Ordinal);

    /// <summary>https://external-secrets.io/latest/api/externalsecret/: the operator reads the values from the account's store, so that no manifest holds one.</summary>
    private JsonObject ExternalSecret(EksWorkload workload)
    {
        var value = Object("external-secrets.io/v1", "ExternalSecret", SecretName(workload), workload.Namespace, Labels(workload));
        value["spec"] = new JsonObject
        {
            ["refreshInterval"] = "1h",
            ["secretStoreRef"] = new JsonObject { ["kind"] = "ClusterSecretStore", ["name"] = model.Value(model.Parameters.SecretStore) },
            ["target"] = new JsonObject { ["name"] = SecretName(workload), ["creationPolicy"] = "Owner" },
            ["data"] = Array(SecretNames(workload).Select(name => new JsonObject
            {
                ["secretKey"] = name,
                ["remoteRef"] = new JsonObject { ["key"] = model.Value(model.Parameters.SecretPrefix) + name },
            })),
        };
        return value;
    }

    private static JsonObject Claim(EksWorkload workload, EksSharedFolder folder)
    {
        var value = Object("v1", "PersistentVolumeClaim", folder.Name, workload.Namespace, Labels(workload));
        value["spec"] = new JsonObject
        {
            ["accessModes"] = new JsonArray("ReadWriteMany"),
            ["storageClassName"] = "chat-shared",
            ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = $"{folder.SizeGi}Gi" } },
        };
        return value;
    }

    private JsonObject Deployment(EksWorkload workload, string pods)
    {
        var spec = new JsonObject();
        // Where an autoscaler sets the number, a manifest that sets it too would undo its work with every deployment.
        if (workload.Scaling is null || workload.IsSingleton)
            spec["replicas"] = workload.IsSingleton ? 1 : Replicas(workload);
        spec["revisionHistoryLimit"] = 5;
        spec["strategy"] = workload.IsSingleton
            ? new JsonObject { ["type"] = "Recreate" }
            : new JsonObject { ["type"] = "RollingUpdate", ["rollingUpdate"] = new JsonObject { ["maxSurge"] = 1, ["maxUnavailable"] = 0 } };
        spec["selector"] = new JsonObject { ["matchLabels"] = Selector(pods) };
        var pod = Pod(workload, pods);
        // Over all zones, and no two on one node while there is another. A zone without room is no reason to have fewer pods.
        pod["topologySpreadConstraints"] = new JsonArray(new JsonObject
        {
            ["maxSkew"] = 1,
            ["topologyKey"] = "topology.kubernetes.io/zone",
            ["whenUnsatisfiable"] = "ScheduleAnyway",
            ["labelSelector"] = new JsonObject { ["matchLabels"] = Selector(pods) },
        });
        pod["affinity"] = new JsonObject
        {
            ["podAntiAffinity"] = new JsonObject
            {
                ["preferredDuringSchedulingIgnoredDuringExecution"] = new JsonArray(new JsonObject
                {
                    ["weight"] = 100,
                    ["podAffinityTerm"] = new JsonObject
                    {
                        ["topologyKey"] = "kubernetes.io/hostname",
                        ["labelSelector"] = new JsonObject { ["matchLabels"] = Selector(pods) },
                    },
                }),
            },
        };
        spec["template"] = Template(workload, pods, pod);
        var value = Object("apps/v1", "Deployment", pods, workload.Namespace, Labels(workload, pods));
        value["spec"] = spec;
        return value;
    }

    /// <summary>The agent on each node. Its buffer is on the node's disk, so that it outlives the pod: a new one finds what the old one had not delivered.</summary>
    private JsonObject DaemonSet(EksWorkload workload)
    {
        var pods = Name(workload);
        var pod = Pod(workload, pods);
        pod["tolerations"] = new JsonArray(new JsonObject { ["operator"] = "Exists" });
        pod["priorityClassName"] = "system-node-critical";
        var value = Object("apps/v1", "DaemonSet", pods, workload.Namespace, Labels(workload, pods));
        value["spec"] = new JsonObject
        {
            ["selector"] = new JsonObject { ["matchLabels"] = Selector(pods) },
            // One on a node at any time: two would write into one folder.
            ["updateStrategy"] = new JsonObject { ["type"] = "RollingUpdate", ["rollingUpdate"] = new JsonObject { ["maxSurge"] = 0, ["maxUnavailable"] = 1 } },
            ["template"] = Template(workload, pods, pod),
        };
        return value;
    }

    private static JsonObject Template(EksWorkload workload, string pods, JsonObject pod) => new()
    {
        ["metadata"] = new JsonObject
        {
            ["labels"] = Labels(workload, pods),
            // A changed setting is a new pod.
            ["annotations"] = new JsonObject { ["chat/settings"] = Digest(workload) },
        },
        ["spec"] = pod,
    };

    private static string Digest(EksWorkload workload)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in workload.Settings)
            text.Append(name).Append('=').Append(value).Append('\n');
        foreach (var file in workload.Files)
            text.Append(File.ReadAllText(file.Source));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..16];
    }

    private JsonObject Pod(EksWorkload workload, string pods)
    {
        var agent = workload.NodeAgent is not null;
        var drain = workload.Drain;
        return new JsonObject
        {
            ["serviceAccountName"] = Name(workload),
            ["automountServiceAccountToken"] = false,
            ["enableServiceLinks"] = false,
            // Leaving, stopping, and five seconds for the container's own end.
            ["terminationGracePeriodSeconds"] = drain.LeaveSeconds + drain.StopSeconds + 5,
            ["securityContext"] = agent
                // The node's folder belongs to root; without any capability root is no more here than its owner.
                ? new JsonObject { ["runAsUser"] = 0, ["runAsGroup"] = 0, ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" } }
                : new JsonObject
                {
                    ["runAsNonRoot"] = true,
                    ["runAsUser"] = EksNames.User,
                    ["runAsGroup"] = EksNames.User,
                    ["fsGroup"] = EksNames.User,
                    ["fsGroupChangePolicy"] = "OnRootMismatch",
                    ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
                },
            ["containers"] = new JsonArray(Container(workload, model.Image(workload, pods))),
            ["volumes"] = Array(Volumes(workload).Select(volume => volume.Volume)),
        };
    }

    private static JsonObject Container(EksWorkload workload, string image)
    {
        var size = workload.Size;
        var container = new JsonObject { ["name"] = Name(workload), ["image"] = image };
        if (workload.Arguments.Count > 0)
            container["args"] = Array(workload.Arguments.Select(argument => (JsonNode)argument));
        container["ports"] = Array(workload.Ports.Select(port => new JsonObject { ["name"] = port.Name, ["containerPort"] = port.ContainerPort, ["protocol"] = "TCP" }));
        if (workload.Settings.Count > 0)
            container["envFrom"] = new JsonArray(new JsonObject { ["configMapRef"] = new JsonObject { ["name"] = Name(workload) } });
        container["env"] = Array(Variables(workload));
        container["resources"] = new JsonObject
        {
            ["requests"] = new JsonObject { ["cpu"] = $"{size.CpuMillis}m", ["memory"] = $"{size.MemoryMi}Mi" },
            ["limits"] = new JsonObject { ["cpu"] = $"{EksSize.Burst * size.CpuMillis}m", ["memory"] = $"{size.MemoryMi}Mi" },
        };
        if (workload.Health is { } health)
        {
            // Until the first answer of all dependencies; then readiness takes a pod out of the Service, and liveness looks at the process alone.
            container["startupProbe"] = Probe(health.Port, health.Path, period: 2, failures: 60);
            container["readinessProbe"] = Probe(health.Port, health.Path, period: 5, failures: 3);
            container["livenessProbe"] = Probe(health.Port, workload.Resource is ProjectResource ? EksNames.AlivePath : health.Path, period: 10, failures: 6);
        }
        else if (workload.Ports is [{ } port, ..])
        {
            container["readinessProbe"] = new JsonObject { ["tcpSocket"] = new JsonObject { ["port"] = port.Name }, ["periodSeconds"] = 5, ["failureThreshold"] = 3 };
            container["livenessProbe"] = new JsonObject { ["tcpSocket"] = new JsonObject { ["port"] = port.Name }, ["periodSeconds"] = 10, ["failureThreshold"] = 6 };
        }

        // Slept by the kubelet: the image holds no shell and no sleep. The pod still serves meanwhile.
        container["lifecycle"] = new JsonObject { ["preStop"] = new JsonObject { ["sleep"] = new JsonObject { ["seconds"] = workload.Drain.LeaveSeconds } } };
        container["securityContext"] = new JsonObject
        {
            ["allowPrivilegeEscalation"] = false,
            ["readOnlyRootFilesystem"] = true,
            ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
        };
        container["volumeMounts"] = Array(Volumes(workload).Select(volume => volume.Mount));
        return container;
    }

    /// <summary>The pod's own address and name first: a later value may hold them.</summary>
    private static IEnumerable<JsonNode> Variables(EksWorkload workload)
    {
        yield return Field(PodAddress.Variable, "status.podIP");
        yield return Field("POD_NAME", "metadata.name");
        foreach (var (name, value) in workload.PodSettings)
            yield return new JsonObject { ["name"] = name, ["value"] = value };
        foreach (var (name, secret) in workload.Secrets)
        {
            yield return new JsonObject
            {
                ["name"] = name,
                ["valueFrom"] = new JsonObject { ["secretKeyRef"] = new JsonObject { ["name"] = SecretName(workload), ["key"] = secret.Name } },
            };
        }

        static JsonObject Field(string name, string path) =>
            new() { ["name"] = name, ["valueFrom"] = new JsonObject { ["fieldRef"] = new JsonObject { ["fieldPath"] = path } } };
    }

    private static IEnumerable<(JsonNode Volume, JsonNode Mount)> Volumes(EksWorkload workload)
    {
        // The root is read-only; .NET keeps diagnostic sockets and large uploads here.
        yield return (
            new JsonObject { ["name"] = "tmp", ["emptyDir"] = new JsonObject { ["sizeLimit"] = "128Mi" } },
            new JsonObject { ["name"] = "tmp", ["mountPath"] = "/tmp" });
        foreach (var folder in workload.SharedFolders)
        {
            yield return (
                new JsonObject { ["name"] = folder.Name, ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = folder.Name } },
                new JsonObject { ["name"] = folder.Name, ["mountPath"] = folder.Path });
        }

        foreach (var file in workload.SecretFiles)
        {
            yield return (
                new JsonObject
                {
                    ["name"] = file.Secret.Name,
                    ["secret"] = new JsonObject
                    {
                        ["secretName"] = SecretName(workload),
                        ["items"] = new JsonArray(new JsonObject { ["key"] = file.Secret.Name, ["path"] = Path.GetFileName(file.Path) }),
                    },
                },
                new JsonObject { ["name"] = file.Secret.Name, ["mountPath"] = Path.GetDirectoryName(file.Path), ["readOnly"] = true });
        }

        foreach (var folder in workload.Files.Select(file => Path.GetDirectoryName(file.Path)).Distinct())
        {
            yield return (
                new JsonObject { ["name"] = "files", ["configMap"] = new JsonObject { ["name"] = $"{Name(workload)}-files" } },
                new JsonObject { ["name"] = "files", ["mountPath"] = folder, ["readOnly"] = true });
        }

        if (workload.NodeAgent is { } agent)
        {
            yield return (
                new JsonObject { ["name"] = "buffer", ["hostPath"] = new JsonObject { ["path"] = agent.HostFolder, ["type"] = "DirectoryOrCreate" } },
                new JsonObject { ["name"] = "buffer", ["mountPath"] = agent.HostFolder });
        }
    }

    private static JsonObject Probe(EksPort port, string path, int period, int failures) => new()
    {
        ["httpGet"] = new JsonObject { ["path"] = path, ["port"] = port.Name, ["scheme"] = "HTTP" },
        ["periodSeconds"] = period,
        ["timeoutSeconds"] = 4,
        ["failureThreshold"] = failures,
    };

    /// <summary>
    /// One address for what is called by name; a headless Service for what others reach pod by pod, at addresses that the pods tell them; for an agent, the one on the
    /// caller's own node.
    /// </summary>
    private IEnumerable<JsonObject> Services(EksWorkload workload, string pods)
    {
        var callers = model.Workloads.SelectMany(caller => caller.Arrows.OfType<EksArrow.ToResource>())
            .Where(arrow => arrow.Target == workload.Place)
            .ToLookup(arrow => arrow.ByAddress, arrow => arrow.Port.Name);
        var ingress = workload.Annotation<EksIngress>();
        var named = workload.Ports.Where(port => callers[false].Contains(port.Name) || port.Name == ingress?.Http || port.Name == ingress?.Grpc).ToList();
        var peers = workload.Ports.Where(port => callers[true].Contains(port.Name)).ToList();
        if (named.Count > 0)
        {
            var value = Object("v1", "Service", pods, workload.Namespace, Labels(workload, pods));
            if (ingress is not null)
                value["metadata"]!["annotations"] = LoadBalancing.TargetGroup(workload);
            value["spec"] = Spec(named);
            if (workload.NodeAgent is not null)
                value["spec"]!["internalTrafficPolicy"] = "Local";
            yield return value;
        }

        if (peers.Count == 0)
            yield break;
        var headless = Object("v1", "Service", $"{pods}-pods", workload.Namespace, Labels(workload, pods));
        headless["spec"] = Spec(peers);
        headless["spec"]!["clusterIP"] = "None";
        yield return headless;

        JsonObject Spec(IReadOnlyList<EksPort> ports) => new()
        {
            ["type"] = "ClusterIP",
            ["selector"] = Selector(pods),
            ["ports"] = Array(ports.Select(port => new JsonObject { ["name"] = port.Name, ["port"] = port.ServicePort, ["targetPort"] = port.Name, ["protocol"] = "TCP" })),
        };
    }

    private int Replicas(EksWorkload workload) => model.Environment.Small ? 1 : Math.Max(workload.Scaling?.Min ?? 0, workload.Resource.GetReplicaCount());

    private JsonObject Autoscaler(EksWorkload workload, string pods, EksScaling scaling)
    {
        var fewest = Replicas(workload);
        var metrics = new JsonArray(new JsonObject
        {
            ["type"] = "Resource",
            ["resource"] = new JsonObject { ["name"] = "cpu", ["target"] = new JsonObject { ["type"] = "Utilization", ["averageUtilization"] = scaling.Cpu } },
        });
        if (scaling.Metric is { } metric)
        {
            metrics.Add((JsonNode)new JsonObject
            {
                ["type"] = "Pods",
                ["pods"] = new JsonObject
                {
                    ["metric"] = new JsonObject { ["name"] = metric.Name },
                    ["target"] = new JsonObject { ["type"] = "AverageValue", ["averageValue"] = $"{metric.Average}" },
                },
            });
        }

        var value = Object("autoscaling/v2", "HorizontalPodAutoscaler", pods, workload.Namespace, Labels(workload, pods));
        value["spec"] = new JsonObject
        {
            ["scaleTargetRef"] = new JsonObject { ["apiVersion"] = "apps/v1", ["kind"] = "Deployment", ["name"] = pods },
            ["minReplicas"] = fewest,
            ["maxReplicas"] = model.Environment.Small ? 2 : Math.Max(scaling.Max, fewest),
            ["metrics"] = metrics,
            // Up at once, down one pod at a time: each pod that leaves sends its clients to the others.
            ["behavior"] = new JsonObject
            {
                ["scaleDown"] = new JsonObject
                {
                    ["stabilizationWindowSeconds"] = 300,
                    ["policies"] = new JsonArray(new JsonObject { ["type"] = "Pods", ["value"] = 1, ["periodSeconds"] = 60 }),
                },
            },
        };
        return value;
    }

    private static JsonObject DisruptionBudget(EksWorkload workload, string pods)
    {
        var value = Object("policy/v1", "PodDisruptionBudget", pods, workload.Namespace, Labels(workload, pods));
        value["spec"] = new JsonObject { ["maxUnavailable"] = 1, ["selector"] = new JsonObject { ["matchLabels"] = Selector(pods) } };
        return value;
    }

    private static JsonArray Array(IEnumerable<JsonNode> items) => [.. items];
}
