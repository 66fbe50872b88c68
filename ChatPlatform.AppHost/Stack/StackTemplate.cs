using System.Text.Json.Nodes;
using ChatPlatform.AppHost.Eks;
using ChatPlatform.AppHost.Pipelines;
using ChatPlatform.AppHost.Pipelines.CloudFormation;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.AppHost.Stack;

/// <summary>
/// What the cluster stands on, as one CloudFormation template from the same app model: tables, pipelines into the lake and their catalogue, buckets, the file system of
/// shared folders, the repositories of images, secrets, and a role for each service that may do what the model says and no more. The cluster, its network, Redis and Kafka
/// are there before and are parameters.
/// </summary>
internal sealed class StackTemplate
{
    private readonly Template _template = new("What the chat stands on in an AWS account: tables, pipelines, buckets, catalogue, file system, images, secrets, roles.");
    private readonly EksModel _model;
    private readonly Dictionary<string, string> _tables = [];
    private readonly Dictionary<string, string> _buckets = [];

    private StackTemplate(EksModel model) => _model = model;

    public static JsonObject Of(EksModel model, DistributedApplicationModel application, IEnumerable<CdcPipeline> pipelines)
    {
        var stack = new StackTemplate(model);
        stack.AddTables([.. application.Resources.SelectMany(resource => resource.Annotations.OfType<StackTables>()).SelectMany(tables => tables.Tables)]);
        foreach (var uploads in application.Resources.SelectMany(resource => resource.Annotations.OfType<StackUploads>()))
            stack.AddUploads(uploads.Bucket);
        stack.AddLake([.. pipelines]);
        stack.AddFileSystem();
        stack.AddRepositories();
        stack.AddSecrets();
        stack.AddRoles();
        return stack._template.ToJson();
    }

    private void AddTables(IReadOnlyList<TableSchema> tables)
    {
        foreach (var table in tables)
        {
            var id = CdcStack.LogicalId(table.Name) + "Table";
            var properties = new JsonObject
            {
                ["TableName"] = table.Name,
                ["BillingMode"] = "PAY_PER_REQUEST",
                ["AttributeDefinitions"] = Array(table.KeyAttributes
                    .Select(key => new JsonObject { ["AttributeName"] = key.Name, ["AttributeType"] = key.Type is KeyType.Number ? "N" : "S" })),
                ["KeySchema"] = KeySchema(table.PartitionKey, table.SortKey),
                ["PointInTimeRecoverySpecification"] = new JsonObject { ["PointInTimeRecoveryEnabled"] = true },
                ["DeletionProtectionEnabled"] = true,
            };
            if (table.Indexes.Count > 0)
            {
                properties["GlobalSecondaryIndexes"] = Array(table.Indexes.Select(index => new JsonObject
                {
                    ["IndexName"] = index.Name,
                    ["KeySchema"] = KeySchema(index.PartitionKey, index.SortKey),
                    ["Projection"] = new JsonObject { ["ProjectionType"] = "ALL" },
                }));
            }

            if (table.Stream is not StreamView.None)
                properties["StreamSpecification"] = new JsonObject { ["StreamViewType"] = "NEW_AND_OLD_IMAGES" };
            if (table.TimeToLiveAttribute is { } attribute)
                properties["TimeToLiveSpecification"] = new JsonObject { ["AttributeName"] = attribute, ["Enabled"] = true };
            AddKept(id, "AWS::DynamoDB::Table", properties);
            _tables[table.Name] = id;
        }
    }

    private void AddUploads(string name)
    {
        var id = CdcStack.LogicalId(name) + "Bucket";
        var bucket = _template.AddParameter($"{id}Name", "The bucket that clients upload to: the manifests' upload-bucket", _model.Value(_model.Parameters.UploadBucket));
        var properties = Bucket(bucket, new JsonObject
        {
            ["Id"] = "unfinished",
            ["Status"] = "Enabled",
            ["AbortIncompleteMultipartUpload"] = new JsonObject { ["DaysAfterInitiation"] = 1 },
        });
        // Browsers upload with presigned URLs, which say what is allowed; without a rule they refuse to try.
        properties["CorsConfiguration"] = new JsonObject
        {
            ["CorsRules"] = new JsonArray(new JsonObject
            {
                ["AllowedMethods"] = new JsonArray("GET", "PUT"),
                ["AllowedOrigins"] = new JsonArray(Reference.To("WebOrigin")),
                ["AllowedHeaders"] = new JsonArray("*"),
                ["ExposedHeaders"] = new JsonArray("ETag"),
                ["MaxAge"] = 3600,
            }),
        };
        _template.AddParameter("WebOrigin", "The origin of the web client", $"https://{_model.Value(_model.Parameters.Host)}");
        AddKept(id, "AWS::S3::Bucket", properties);
        AddTlsOnly(id);
        _buckets[name] = id;
    }

    private void AddLake(IReadOnlyList<CdcPipeline> pipelines)
    {
        var bucket = _template.AddParameter("LakeBucketName", "The bucket of the lake; the names of buckets are shared by all accounts");
        AddKept("LakeBucket", "AWS::S3::Bucket", Bucket(
            bucket,
            new JsonObject
            {
                ["Id"] = "old",
                ["Status"] = "Enabled",
                ["Transitions"] = new JsonArray(new JsonObject { ["StorageClass"] = "STANDARD_IA", ["TransitionInDays"] = 90 }),
            },
            new JsonObject { ["Id"] = "errors", ["Status"] = "Enabled", ["Prefix"] = "errors/", ["ExpirationInDays"] = 90 }));
        AddTlsOnly("LakeBucket");

        var code = new CodeLocation(
            _template.AddParameter("CodeBucket", "The bucket with the functions' zip, in the stack's region"),
            _template.AddParameter("CodeKey", "The key of the functions' zip there", "cdc-lambda.zip"));
        _template.AddResource("LakeDatabase", "AWS::Glue::Database", new JsonObject
        {
            ["CatalogId"] = Reference.To("AWS::AccountId"),
            ["DatabaseInput"] = new JsonObject { ["Name"] = "chat_lake", ["Description"] = "The chat's tables, change by change" },
        });
        foreach (var pipeline in pipelines)
        {
            _template.AddCdcPipeline(pipeline, Reference.ToAttribute(_tables[pipeline.Table.Name], "StreamArn"), deliveryStreamArn: null, Reference.To("LakeBucket"), code);
            AddCatalogueTable(pipeline);
        }
    }

    /// <summary>Partitions that nobody has to add: Athena computes them from the query (https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html).</summary>
    private void AddCatalogueTable(CdcPipeline pipeline)
    {
        JsonObject location = Join("s3://", Reference.To("LakeBucket"), $"/{pipeline.Name}/");
        _template.AddResource(CdcStack.LogicalId(pipeline.Name) + "LakeTable", "AWS::Glue::Table", new JsonObject
        {
            ["CatalogId"] = Reference.To("AWS::AccountId"),
            ["DatabaseName"] = Reference.To("LakeDatabase"),
            ["TableInput"] = new JsonObject
            {
                ["Name"] = pipeline.Name.Replace('-', '_'),
                ["TableType"] = "EXTERNAL_TABLE",
                ["PartitionKeys"] = Array(((string[])["year", "month", "day", "hour"]).Select(key => new JsonObject { ["Name"] = key, ["Type"] = "string" })),
                ["Parameters"] = new JsonObject
                {
                    ["classification"] = "json",
                    ["compressionType"] = "gzip",
                    ["projection.enabled"] = "true",
                    ["projection.year.type"] = "integer",
                    ["projection.year.range"] = "2026,2046",
                    ["projection.month.type"] = "integer",
                    ["projection.month.range"] = "1,12",
                    ["projection.month.digits"] = "2",
                    ["projection.day.type"] = "integer",
                    ["projection.day.range"] = "1,31",
                    ["projection.day.digits"] = "2",
                    ["projection.hour.type"] = "integer",
                    ["projection.hour.range"] = "0,23",
                    ["projection.hour.digits"] = "2",
                    ["storage.location.template"] = Join("s3://", Reference.To("LakeBucket"), $"/{pipeline.Name}/year=${{year}}/month=${{month}}/day=${{day}}/hour=${{hour}}/"),
                },
                ["StorageDescriptor"] = new JsonObject
                {
                    ["Location"] = location,
                    ["InputFormat"] = "org.apache.hadoop.mapred.TextInputFormat",
                    ["OutputFormat"] = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    ["SerdeInfo"] = new JsonObject
                    {
                        ["SerializationLibrary"] = "org.openx.data.jsonserde.JsonSerDe",
                        ["Parameters"] = new JsonObject { ["case.insensitive"] = "true", ["ignore.malformed.json"] = "false" },
                    },
                    ["Columns"] = Array(LakeColumns.Of(pipeline.Table)
                        .Select(column => new JsonObject { ["Name"] = column.Name.ToLowerInvariant(), ["Type"] = column.Type.ToLowerInvariant() })),
                },
            },
        });
    }

    /// <summary>The shared folders of the pods, in two zones; only the cluster's nodes may mount it.</summary>
    private void AddFileSystem()
    {
        if (!_model.Workloads.Any(workload => workload.SharedFolders.Any()))
            return;
        var vpc = _template.AddParameter("VpcId", "The network of the cluster");
        var nodes = _template.AddParameter("NodeSecurityGroup", "The security group of the cluster's nodes");
        _template.AddResource("SharedFoldersSecurityGroup", "AWS::EC2::SecurityGroup", new JsonObject
        {
            ["GroupDescription"] = "NFS from the nodes of the cluster",
            ["VpcId"] = vpc,
            ["SecurityGroupIngress"] = new JsonArray(new JsonObject { ["IpProtocol"] = "tcp", ["FromPort"] = 2049, ["ToPort"] = 2049, ["SourceSecurityGroupId"] = nodes }),
        });
        AddKept("SharedFolders", "AWS::EFS::FileSystem", new JsonObject
        {
            ["Encrypted"] = true,
            // Pays for what is written, at any rate; bursting credits run out in the very outage that fills the spools.
            ["ThroughputMode"] = "elastic",
            ["BackupPolicy"] = new JsonObject { ["Status"] = "DISABLED" },
        });
        foreach (var zone in (string[])["A", "B"])
        {
            _template.AddResource($"SharedFoldersMount{zone}", "AWS::EFS::MountTarget", new JsonObject
            {
                ["FileSystemId"] = Reference.To("SharedFolders"),
                ["SubnetId"] = _template.AddParameter($"Subnet{zone}", $"A subnet of the nodes, zone {zone}"),
                ["SecurityGroups"] = new JsonArray(Reference.ToAttribute("SharedFoldersSecurityGroup", "GroupId")),
            });
        }

        _template.AddOutput("FileSystemId", "The manifests' file-system-id", Reference.To("SharedFolders"));
    }

    private void AddRepositories()
    {
        foreach (var name in _model.Workloads.Concat(_model.Alternatives).Where(workload => workload.Resource is ProjectResource).Select(workload => $"chat-{workload.Resource.Name}"))
        {
            _template.AddResource(CdcStack.LogicalId(name) + "Repository", "AWS::ECR::Repository", new JsonObject
            {
                ["RepositoryName"] = name,
                ["ImageTagMutability"] = "IMMUTABLE",
                ["ImageScanningConfiguration"] = new JsonObject { ["ScanOnPush"] = true },
                ["LifecyclePolicy"] = new JsonObject
                {
                    ["LifecyclePolicyText"] =
                        """{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}}]}""",
                },
            });
        }
    }

    /// <summary>Every secret of the app model: keys are made here, addresses are the stack's parameters, and what only a person has is put in afterwards.</summary>
    private void AddSecrets()
    {
        var secrets = _model.Workloads.SelectMany(workload => workload.Secrets.Values.Concat(workload.SecretFiles.Select(file => file.Secret)))
            .DistinctBy(secret => secret.Name).OrderBy(secret => secret.Name, StringComparer.Ordinal).ToList();
        foreach (var secret in secrets)
        {
            var id = CdcStack.LogicalId(secret.Name);
            var properties = new JsonObject { ["Name"] = _model.Value(_model.Parameters.SecretPrefix) + secret.Name };
            if (secret.IsConnectionString)
                properties["SecretString"] = _template.AddParameter($"{id}ConnectionString", $"What services connect to: {secret.Name}");
            else if (!_model.Workloads.Any(workload => workload.SecretFiles.Any(file => file.Secret == secret)))
                properties["GenerateSecretString"] = new JsonObject { ["PasswordLength"] = 44, ["ExcludePunctuation"] = true };
            AddKept($"{id}Secret", "AWS::SecretsManager::Secret", properties);
        }

        AddPodRole("SecretsReader", "external-secrets", "external-secrets",
            [new(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], [.. secrets.Select(secret => Reference.To(CdcStack.LogicalId(secret.Name) + "Secret"))])]);
    }

    private void AddRoles()
    {
        foreach (var workload in _model.Workloads)
        {
            var grants = workload.Resource.Annotations.OfType<EksAwsAccess>().Select(access => access.Grant).ToList();
            if (grants.Count > 0)
                AddPodRole(CdcStack.LogicalId(workload.Name), workload.Namespace, workload.Name, [.. Statements(grants)]);
        }
    }

    private IEnumerable<Allowed> Statements(IReadOnlyList<AwsGrant> grants)
    {
        foreach (var table in grants.OfType<AwsGrant.OnTable>().GroupBy(grant => grant.Table.Name))
        {
            var arn = Reference.ToAttribute(_tables[table.Key], "Arn");
            var actions = table.SelectMany(grant => grant.Actions).Distinct().Order(StringComparer.Ordinal).ToArray();
            yield return new(actions, [arn]);
            // An index can be asked and no more.
            if (table.First().Table.Indexes.Count > 0 && actions.Contains("dynamodb:Query"))
                yield return new(["dynamodb:Query"], [Join(arn, "/index/*")]);
        }

        foreach (var bucket in grants.OfType<AwsGrant.OnObjects>().GroupBy(grant => grant.Bucket))
        {
            var arn = Reference.ToAttribute(_buckets[bucket.Key], "Arn");
            yield return new([.. bucket.SelectMany(grant => grant.Actions).Distinct()], [Join(arn, "/*")]);
            // Else an object that is missing is told as one that is forbidden.
            yield return new(["s3:ListBucket"], [arn]);
        }
    }

    /// <summary>A role for the pods of one service account, through EKS Pod Identity (https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html).</summary>
    private void AddPodRole(string id, string space, string serviceAccount, IReadOnlyList<Allowed> allowed)
    {
        _template.AddRole($"{id}Role", "pods.eks.amazonaws.com", allowed);
        // Pod Identity tags its sessions with the pod's names.
        _template.Resources[$"{id}Role"]!["Properties"]!["AssumeRolePolicyDocument"]!["Statement"]![0]!["Action"] = new JsonArray("sts:AssumeRole", "sts:TagSession");
        if (!_template.Parameters.ContainsKey("ClusterName"))
            _template.AddParameter("ClusterName", "The EKS cluster");
        _template.AddResource($"{id}Association", "AWS::EKS::PodIdentityAssociation", new JsonObject
        {
            ["ClusterName"] = Reference.To("ClusterName"),
            ["Namespace"] = space,
            ["ServiceAccount"] = serviceAccount,
            ["RoleArn"] = Reference.ToAttribute($"{id}Role", "Arn"),
        });
    }

    /// <summary>A resource that outlives the stack: what is in it cannot be made again.</summary>
    private void AddKept(string id, string type, JsonObject properties)
    {
        _template.AddResource(id, type, properties);
        _template.Resources[id]!["DeletionPolicy"] = "Retain";
        _template.Resources[id]!["UpdateReplacePolicy"] = "Retain";
    }

    private static JsonObject Bucket(JsonNode name, params JsonNode[] rules) => new()
    {
        ["BucketName"] = name,
        ["BucketEncryption"] = new JsonObject
        {
            ["ServerSideEncryptionConfiguration"] = new JsonArray(new JsonObject { ["ServerSideEncryptionByDefault"] = new JsonObject { ["SSEAlgorithm"] = "AES256" } }),
        },
        ["PublicAccessBlockConfiguration"] = new JsonObject { ["BlockPublicAcls"] = true, ["BlockPublicPolicy"] = true, ["IgnorePublicAcls"] = true, ["RestrictPublicBuckets"] = true },
        ["OwnershipControls"] = new JsonObject { ["Rules"] = new JsonArray(new JsonObject { ["ObjectOwnership"] = "BucketOwnerEnforced" }) },
        ["LifecycleConfiguration"] = new JsonObject { ["Rules"] = new JsonArray([.. rules]) },
    };

    private void AddTlsOnly(string bucket) => _template.AddResource($"{bucket}Policy", "AWS::S3::BucketPolicy", new JsonObject
    {
        ["Bucket"] = Reference.To(bucket),
        ["PolicyDocument"] = new JsonObject
        {
            ["Version"] = "2012-10-17",
            ["Statement"] = new JsonArray(new JsonObject
            {
                ["Effect"] = "Deny",
                ["Principal"] = "*",
                ["Action"] = "s3:*",
                ["Resource"] = new JsonArray(Reference.ToAttribute(bucket, "Arn"), Join(Reference.ToAttribute(bucket, "Arn"), "/*")),
                ["Condition"] = new JsonObject { ["Bool"] = new JsonObject { ["aws:SecureTransport"] = "false" } },
            }),
        },
    });

    private static JsonArray KeySchema(TableKey partition, TableKey? sort) =>
    [
        .. new[] { (Key: partition, Type: "HASH"), (Key: sort, Type: "RANGE") }.Where(part => part.Key is not null)
            .Select(part => (JsonNode)new JsonObject { ["AttributeName"] = part.Key!.Name, ["KeyType"] = part.Type }),
    ];

    private static JsonObject Join(params JsonNode[] parts) => new() { ["Fn::Join"] = new JsonArray("", new JsonArray([.. parts.Select(part => part.DeepClone())])) };

    private static JsonArray Array(IEnumerable<JsonNode> items) => [.. items];
}
