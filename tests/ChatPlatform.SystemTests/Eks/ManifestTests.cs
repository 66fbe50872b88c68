using System.Text.Json.Nodes;
using ChatPlatform.Contracts.Tables;
using ChatPlatform.SystemTests.Pipelines;

namespace ChatPlatform.SystemTests.Eks;

/// <summary>What the app model is on EKS: whole, valid, restricted, and with exactly the arrows of the picture.</summary>
public sealed class ManifestTests(RenderedManifests manifests) : IClassFixture<RenderedManifests>
{
    private static readonly string[] Everywhere = ["0.0.0.0/0"], PodIdentity = ["169.254.170.23/32"];

    /// <summary>As <c>values.json</c> has them.</summary>
    private static readonly string[] Data = ["10.0.64.0/20", "10.0.80.0/20"], LoadBalancer = ["10.0.0.0/20", "10.0.16.0/20"];

    /// <summary><c>EKS_SNAPSHOT=write ./dev test FullyQualifiedName~ManifestTests</c> writes it anew; the diff is then for the reviewer.</summary>
    [Fact]
    public void The_whole_output_is_the_one_that_was_agreed_on()
    {
        var agreed = Path.Combine(EksPublish.Sources, "Published");
        if (Environment.GetEnvironmentVariable("EKS_SNAPSHOT") == "write")
        {
            if (Directory.Exists(agreed))
                Directory.Delete(agreed, recursive: true);
            foreach (var (path, text) in manifests.Files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(agreed, path))!);
                File.WriteAllText(Path.Combine(agreed, path), text);
            }
        }

        var expected = EksPublish.Read(agreed);
        manifests.Files.Keys.ShouldBe(expected.Keys);
        foreach (var (path, text) in expected)
            manifests.Files[path].ShouldBe(text, path);
    }

    [Fact]
    public void Every_overlay_renders_and_every_object_holds_against_the_schemas_of_Kubernetes()
    {
        manifests.ExitCode.ShouldBe(0, manifests.Said);
        manifests.Overlays.Keys.Order().ShouldBe(["dev", "dev-forwarder", "prod", "prod-forwarder"]);
        manifests.Said.ShouldContain($"RESULT manifests objects={manifests.Overlays["prod"].Count} invalid=0 policies=");
    }

    [Fact]
    public void Every_resource_of_the_template_holds_against_the_schemas_of_CloudFormation()
    {
        using var schemas = ResourceSchemas.Load(StartProblemTests.RepositoryRoot);
        var resources = manifests.Template["Resources"]!.AsObject();

        schemas.Problems(resources).ShouldBeEmpty();
        string[] known =
        [
            .. resources.Select(resource => resource.Key), .. manifests.Template["Parameters"]!.AsObject().Select(parameter => parameter.Key), "AWS::Partition", "AWS::AccountId",
        ];
        PipelineTemplateTests.References(manifests.Template).Except(known).ShouldBeEmpty();
        // What CloudFormation takes without a bucket in between (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html).
        manifests.Files["aws/template.yaml"].Length.ShouldBeLessThan(51_200);
    }

    [Fact]
    public void The_template_makes_each_table_as_the_service_defines_it()
    {
        var properties = manifests.Template["Resources"]!.AsObject().Select(resource => resource.Value!["Properties"]!).ToList();
        foreach (var table in ChatTables.All)
        {
            var made = properties.Single(candidate => (string?)candidate["TableName"] == table.Name);

            string[] keys = [.. new[] { table.PartitionKey, table.SortKey }.OfType<TableKey>().Select(key => key.Name)];
            made["KeySchema"]!.AsArray().Select(key => (string)key!["AttributeName"]!).ShouldBe(keys);
            (made["StreamSpecification"] is not null).ShouldBe(table.Stream is not StreamView.None);
            ((string?)made["TimeToLiveSpecification"]?["AttributeName"]).ShouldBe(table.TimeToLiveAttribute);
            ((bool)made["PointInTimeRecoverySpecification"]!["PointInTimeRecoveryEnabled"]!).ShouldBeTrue();
            (made["GlobalSecondaryIndexes"]?.AsArray().Count ?? 0).ShouldBe(table.Indexes.Count);
        }
    }

    [Fact]
    public void No_role_may_do_everything_and_no_service_may_scan_a_table()
    {
        var statements = manifests.Template["Resources"]!.AsObject().Where(resource => (string)resource.Value!["Type"]! == "AWS::IAM::Role")
            .SelectMany(role => role.Value!["Properties"]!["Policies"]!.AsArray()).SelectMany(policy => policy!["PolicyDocument"]!["Statement"]!.AsArray()).ToList();
        var actions = statements.SelectMany(statement => statement!["Action"]!.AsArray()).Select(action => (string)action!).ToList();

        actions.ShouldAllBe(action => !action.Contains('*'));
        actions.ShouldNotContain("dynamodb:Scan");
        // AWS has no resource for listing streams; everything else names one.
        statements.Where(statement => statement!["Resource"]!.ToJsonString() == """["*"]""").SelectMany(statement => statement!["Action"]!.AsArray()).Select(action => (string)action!)
            .ShouldAllBe(action => action == "dynamodb:ListStreams");
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    [InlineData("prod-forwarder")]
    public void Every_pod_keeps_restricted_Pod_Security_but_the_agent_which_needs_the_nodes_disk(string overlay)
    {
        var pods = manifests.Overlays[overlay].Where(value => value["spec"]?["template"] is not null).ToList();
        pods.Select(RenderedManifests.Name).Order().ShouldBe(["api", "fluent-bit", "gateway-blue", "gateway-green", "insights", "notifier", "relay"]);

        foreach (var workload in pods)
        {
            PodSecurity.Breaches(workload["spec"]!["template"]!["spec"]!.AsObject()).ShouldBe(
                RenderedManifests.Name(workload) == "fluent-bit" ? ["hostPath volume 'buffer'", "runAsNonRoot is not true", "runAsUser is 0"] : [], RenderedManifests.Name(workload));
        }

        ((string?)manifests.Find("Namespace", "chat", overlay)["metadata"]!["labels"]!["pod-security.kubernetes.io/enforce"]).ShouldBe("restricted");
        pods.Where(workload => RenderedManifests.Name(workload) != "fluent-bit").ShouldAllBe(workload => RenderedManifests.Namespace(workload) == "chat");
    }

    /// <summary>The picture in README.md, arrow by arrow.</summary>
    [Fact]
    public void Every_arrow_of_the_picture_has_its_policy_at_both_ends_and_there_is_no_other()
    {
        string[] picture =
        [
            "api → api:8080", "api → api:8081", "api → fluent-bit:24224", "api → relay:8081", "gateway → api:8080", "gateway → api:8081", "gateway → relay:8080", "relay → api:8081",
        ];
        var policies = manifests.Overlays["prod"].Where(value => RenderedManifests.Kind(value) == "NetworkPolicy" && RenderedManifests.Name(value) != "deny-all").ToList();

        policies.SelectMany(policy => Arrows(policy, "egress", "to")).Where(arrow => arrow.Peer is not "kube-dns" && !arrow.IsOutside)
            .Select(arrow => $"{RenderedManifests.Name(arrow.Policy)} → {arrow.Peer}:{arrow.Port}").Order(StringComparer.Ordinal).ShouldBe(picture);
        policies.SelectMany(policy => Arrows(policy, "ingress", "from")).Where(arrow => !arrow.IsOutside)
            .Select(arrow => $"{arrow.Peer} → {RenderedManifests.Name(arrow.Policy)}:{arrow.Port}").Order(StringComparer.Ordinal).ShouldBe(picture);
        policies.SelectMany(policy => Arrows(policy, "ingress", "from")).Where(arrow => arrow.IsOutside)
            .Select(arrow => $"{arrow.Peer} → {RenderedManifests.Name(arrow.Policy)}:{arrow.Port}").Order(StringComparer.Ordinal)
            .ShouldBe([.. LoadBalancer.SelectMany(network => new[] { $"{network} → gateway:8080", $"{network} → gateway:8081" }).Order(StringComparer.Ordinal)]);
    }

    [Fact]
    public void A_pod_reaches_outside_what_its_settings_name_and_nothing_else()
    {
        Outside("api").ShouldBe(Sorted([("observability", 4317), .. To(Everywhere, 443), .. To(Data, 6379), .. To(PodIdentity, 80)]));
        Outside("relay").ShouldBe(Sorted([("observability", 4317), .. To(Data, 6379)]));
        Outside("gateway").ShouldBe(Sorted([("observability", 4317)]));
        Outside("notifier").ShouldBe(Sorted([("observability", 4317), .. To(Everywhere, 443), .. To(Data, 9092), .. To(PodIdentity, 80)]));
        Outside("insights").ShouldBe(Sorted([("observability", 4317), .. To(Data, 9092)]));
        Outside("fluent-bit").ShouldBe(Sorted(To(Data, 9092)));

        IEnumerable<string> Outside(string name) =>
            Sorted(Arrows(manifests.Find("NetworkPolicy", name), "egress", "to").Where(arrow => arrow.IsOutside).Select(arrow => (arrow.Peer, arrow.Port)));
        static IEnumerable<(string, int)> To(string[] networks, int port) => networks.Select(network => (network, port));
        static IEnumerable<string> Sorted(IEnumerable<(string Peer, int Port)> peers) => peers.Select(peer => $"{peer.Peer}:{peer.Port}").Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Nothing_is_reached_that_is_not_allowed_name_resolution_included_in_every_namespace()
    {
        foreach (var space in new[] { "chat", "chat-agents" })
        {
            var deny = manifests.Overlays["prod"].Single(value => RenderedManifests.Name(value) == "deny-all" && RenderedManifests.Namespace(value) == space);
            deny["spec"]!["podSelector"]!.AsObject().Count.ShouldBe(0);
            deny["spec"]!["policyTypes"]!.ToJsonString().ShouldBe("""["Ingress","Egress"]""");
            deny["spec"]!["ingress"].ShouldBeNull();
            deny["spec"]!["egress"].ShouldBeNull();
        }

        manifests.Overlays["prod"].Where(value => RenderedManifests.Kind(value) == "NetworkPolicy" && RenderedManifests.Name(value) != "deny-all")
            .ShouldAllBe(policy => Arrows(policy, "egress", "to").Count(arrow => arrow.Peer == "kube-dns" && arrow.Port == 53) == 2);
    }

    [Theory]
    [InlineData("api", "/var/lib/chat/api-spool")]
    [InlineData("insights", "/var/lib/chat/insights")]
    public void What_a_service_keeps_on_disk_outlives_its_pod(string name, string path)
    {
        var pod = manifests.Find("Deployment", name)["spec"]!["template"]!["spec"]!;
        var mount = pod["containers"]![0]!["volumeMounts"]!.AsArray().Single(mount => (string)mount!["mountPath"]! == path)!;
        var volume = pod["volumes"]!.AsArray().Single(volume => (string)volume!["name"]! == (string)mount["name"]!)!;
        var claim = manifests.Find("PersistentVolumeClaim", (string)volume["persistentVolumeClaim"]!["claimName"]!);

        claim["spec"]!["accessModes"]!.ToJsonString().ShouldBe("""["ReadWriteMany"]""");
        ((string?)manifests.Find("StorageClass", (string)claim["spec"]!["storageClassName"]!)["reclaimPolicy"]).ShouldBe("Retain");
    }

    [Fact]
    public void A_program_writes_nowhere_but_into_volumes_that_its_settings_name()
    {
        foreach (var name in new[] { "api", "relay", "gateway-blue", "notifier", "insights" })
        {
            var workload = manifests.Find("Deployment", name);
            var mounts = workload["spec"]!["template"]!["spec"]!["containers"]![0]!["volumeMounts"]!.AsArray().Select(mount => (string)mount!["mountPath"]!).ToList();
            var settings = manifests.Find("ConfigMap", name.Split('-')[0])["data"]!.AsObject().Select(entry => (string)entry.Value!);
            foreach (var folder in settings.Where(value => value.StartsWith("/var/lib/", StringComparison.Ordinal)))
                mounts.ShouldContain(folder, name);
        }
    }

    [Theory]
    [InlineData("api", 20)]
    [InlineData("relay", 20)]
    [InlineData("gateway-blue", 5)]
    [InlineData("notifier", 20)]
    public void A_pod_has_the_time_to_leave_and_to_stop_and_rolling_takes_none_away(string name, int stopSeconds)
    {
        var spec = manifests.Find("Deployment", name)["spec"]!;
        var pod = spec["template"]!["spec"]!;
        var leave = (int)pod["containers"]![0]!["lifecycle"]!["preStop"]!["sleep"]!["seconds"]!;

        ((int)pod["terminationGracePeriodSeconds"]!).ShouldBeGreaterThan(leave + stopSeconds);
        spec["strategy"]!["rollingUpdate"]!.ToJsonString().ShouldBe("""{"maxSurge":1,"maxUnavailable":0}""");
        ((int)manifests.Find("PodDisruptionBudget", name)["spec"]!["maxUnavailable"]!).ShouldBe(1);
    }

    [Fact]
    public void A_service_that_owns_its_files_never_runs_twice()
    {
        var spec = manifests.Find("Deployment", "insights")["spec"]!;

        ((int)spec["replicas"]!).ShouldBe(1);
        ((string)spec["strategy"]!["type"]!).ShouldBe("Recreate");
        manifests.Overlays["prod"].ShouldNotContain(value => RenderedManifests.Kind(value) == "HorizontalPodAutoscaler" && RenderedManifests.Name(value) == "insights");
    }

    [Fact]
    public void The_relays_scale_by_their_sockets_and_by_CPU()
    {
        var metrics = manifests.Find("HorizontalPodAutoscaler", "relay")["spec"]!["metrics"]!.AsArray();

        metrics.Select(metric => (string?)metric!["resource"]?["name"] ?? (string?)metric["pods"]!["metric"]!["name"]).ShouldBe(["cpu", "chat_sockets"]);
    }

    [Fact]
    public void Servers_tell_each_other_addresses_of_their_pods()
    {
        Variable("api", "POD_IP")!["valueFrom"]!["fieldRef"]!["fieldPath"]!.ToJsonString().ShouldBe("\"status.podIP\"");
        ((string?)Variable("relay", "Relay__AdvertisedGrpcAddress")!["value"]).ShouldBe("http://$(POD_IP):8081");
        foreach (var name in new[] { "api-pods", "relay-pods" })
            ((string?)manifests.Find("Service", name)["spec"]!["clusterIP"]).ShouldBe("None");

        JsonNode? Variable(string workload, string name) =>
            manifests.Find("Deployment", workload)["spec"]!["template"]!["spec"]!["containers"]![0]!["env"]!.AsArray().SingleOrDefault(variable => (string)variable!["name"]! == name);
    }

    [Fact]
    public void The_agent_serves_the_pods_of_its_own_node_and_the_forwarder_takes_its_place_with_the_same_file_and_folder()
    {
        ((string?)manifests.Find("Service", "fluent-bit")["spec"]!["internalTrafficPolicy"]).ShouldBe("Local");
        var (agent, forwarder) = (manifests.Find("DaemonSet", "fluent-bit"), manifests.Find("DaemonSet", "fluent-bit", "prod-forwarder"));
        ((string)Container(agent)["image"]!).ShouldStartWith("fluent/fluent-bit:");
        ((string)Container(forwarder)["image"]!).ShouldContain("/chat-forwarder:");
        Container(forwarder)["volumeMounts"]!.ToJsonString().ShouldBe(Container(agent)["volumeMounts"]!.ToJsonString());
        ((string)manifests.Find("ConfigMap", "fluent-bit-files")["data"]!["fluent-bit.yaml"]!)
            .ShouldBe(File.ReadAllText(Path.Combine(StartProblemTests.RepositoryRoot, "services/fluent-bit/fluent-bit.yaml")));

        static JsonObject Container(JsonObject workload) => workload["spec"]!["template"]!["spec"]!["containers"]![0]!.AsObject();
    }

    [Fact]
    public void The_load_balancer_keeps_sockets_open_speaks_gRPC_and_shares_out_calls_between_two_gateways()
    {
        const string Prefix = "alb.ingress.kubernetes.io/";
        var (http, grpc) = (manifests.Find("Ingress", "gateway-http")["metadata"]!["annotations"]!, manifests.Find("Ingress", "gateway-grpc")["metadata"]!["annotations"]!);

        foreach (var annotations in new[] { http, grpc })
        {
            ((string)annotations[Prefix + "target-type"]!).ShouldBe("ip");
            ((string)annotations[Prefix + "certificate-arn"]!).ShouldStartWith("arn:aws:acm:");
            ((string)annotations[Prefix + "load-balancer-attributes"]!).ShouldContain("idle_timeout.timeout_seconds=120");
            var groups = JsonNode.Parse((string)annotations[Prefix + "actions.shared-out"]!)!["forwardConfig"]!["targetGroups"]!.AsArray();
            groups.Select(group => $"{group!["serviceName"]} {group["weight"]}").ShouldBe(["gateway-blue 100", "gateway-green 0"]);
        }

        ((string)http[Prefix + "healthcheck-path"]!).ShouldBe("/health");
        ((string)grpc[Prefix + "backend-protocol-version"]!).ShouldBe("GRPC");
    }

    [Fact]
    public void Only_the_gateway_takes_a_callers_address_from_the_load_balancer()
    {
        Settings("gateway").ShouldContainKey("ASPNETCORE_FORWARDEDHEADERS_ENABLED");
        Settings("api").ShouldNotContainKey("ASPNETCORE_FORWARDEDHEADERS_ENABLED");
        Settings("relay").ShouldNotContainKey("ASPNETCORE_FORWARDEDHEADERS_ENABLED");
        Settings("api")["RateLimits__TrustedProxies"].ShouldBe("10.0.0.0/16");

        Dictionary<string, string> Settings(string name) => manifests.Find("ConfigMap", name)["data"]!.AsObject().ToDictionary(entry => entry.Key, entry => (string)entry.Value!);
    }

    /// <summary>The names that the SDK gives the images (services/Directory.Build.props).</summary>
    [Fact]
    public void The_images_are_those_that_the_projects_make()
    {
        var rule = File.ReadAllText(Path.Combine(StartProblemTests.RepositoryRoot, "services/Directory.Build.props"));
        rule.ShouldContain("<ContainerRepository>chat-$(MSBuildProjectName.Replace('ChatPlatform.', '').ToLowerInvariant())</ContainerRepository>");
        rule.ShouldContain("<ContainerUser>1654</ContainerUser>");

        foreach (var (workload, project) in new[] { ("api", "Api"), ("relay", "Relay"), ("gateway-blue", "Gateway"), ("notifier", "Notifier"), ("insights", "Insights") })
        {
            Directory.Exists(Path.Combine(StartProblemTests.RepositoryRoot, $"services/ChatPlatform.{project}")).ShouldBeTrue();
            var pod = manifests.Find("Deployment", workload)["spec"]!["template"]!["spec"]!;
            ((string)pod["containers"]![0]!["image"]!).ShouldBe($"111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/chat-{project.ToLowerInvariant()}:1.0.0");
            ((int)pod["securityContext"]!["runAsUser"]!).ShouldBe(1654);
        }
    }

    /// <summary>One entry for each peer and port of a policy's rules; a peer is a workload's name, <c>kube-dns</c>, or what is outside: another team's namespace or a network.</summary>
    private static IEnumerable<(JsonObject Policy, string Peer, int Port, bool IsOutside)> Arrows(JsonObject policy, string direction, string side) =>
        from rule in policy["spec"]![direction]!.AsArray()
        from peer in rule![side]!.AsArray()
        from port in rule["ports"]!.AsArray()
        let labels = peer!["podSelector"]?["matchLabels"]
        let name = (string?)labels?["app.kubernetes.io/name"] ?? (string?)labels?["k8s-app"]
        let outside = (string?)peer["ipBlock"]?["cidr"] ?? (string?)peer["namespaceSelector"]?["matchLabels"]!["kubernetes.io/metadata.name"]
        select (policy, name ?? outside!, (int)port["port"]!, name is null);
}
