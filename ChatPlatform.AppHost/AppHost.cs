using ChatPlatform.AppHost;
using ChatPlatform.AppHost.Backing;
using ChatPlatform.AppHost.Eks;
using ChatPlatform.AppHost.Pipelines;
using ChatPlatform.AppHost.Samples;
using ChatPlatform.AppHost.Stack;
using ChatPlatform.Contracts.Tables;
using Microsoft.Extensions.DependencyInjection;

const string UploadBucket = "chat-attachments";
StartProblem.EndsTheProcessWithOneLine();
// ./dev pipeline writes a template of this model instead of running it.
var pipeline = PipelineCommand.Of(args);
var builder = DistributedApplication.CreateBuilder(pipeline?.HostArguments ?? args);
var eks = builder.AddEks();                                 // null on a laptop

// What the chat stands on: embedded (this machine, no containers), containers or aws, by launch profile. No service can tell which.
var backing = ChatBacking.Of(builder);
var redis = backing.AddRedis("redis");                      // session directory, node leases, rate limits
var kafka = backing.AddKafka("kafka");                      // events for other services
var aws = backing.AddAws("aws");                            // DynamoDB and its streams, S3, Firehose
var lambda = backing.AddLambda("lambda", aws, kafka);       // runs functions on stream records
var forwarder = backing.AddForwarder("fluent-bit", kafka);  // holds events on disk until Kafka has them
var fcm = backing.AddFcm("fcm");                            // push

var tables = backing.AddTables("chat-tables", aws, ChatTables.All);
var uploads = backing.AddUploads("chat-uploads", aws, UploadBucket);
var tokens = backing.AddTokenKeys();

// The chat itself. What begins with WithEks says what a cluster must know beyond this model; a laptop ignores it.
var api = builder.AddProject<Projects.ChatPlatform_Api>("api", launchProfileName: null)
    .WithReplicas(2)
    .WithHttpEndpoint(name: "http")
    .WithHttpEndpoint(name: "grpc", env: "GRPC_PORT")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithReference(redis).WaitFor(redis)
    .WithAws(aws, [.. AwsGrant.Reads(ChatTables.All), .. AwsGrant.Writes(ChatTables.All), AwsGrant.Objects(UploadBucket)])
    .WaitForCompletion(tables).WaitForCompletion(uploads)
    .WithTokenKeys(tokens)
    .WithEnvironment("Attachments__Bucket", UploadBucket).WithEksParameter("Attachments__Bucket", eks?.UploadBucket)
    .WithEnvironment("Events__Endpoint", forwarder.Address)
    .WithEnvironment("Events__SpoolPath", backing.DataFolder("api-spool"))
    .DisableForwardedHeaders()                              // it reads X-Forwarded-For itself, and only from its own side
    .WithEksParameter("RateLimits__TrustedProxies", eks?.PodNetworks)
    .WithEksScaling(max: 20, cpu: 60).WithEksSize(cpuMillis: 500, memoryMi: 512).WithEksDrain(leaveSeconds: 5, stopSeconds: 20)
    .WithEksSharedFolder("api-spool", backing.DataFolder("api-spool"), sizeGi: 20);

var relay = builder.AddProject<Projects.ChatPlatform_Relay>("relay", launchProfileName: null)
    .WithReplicas(2)
    .WithHttpEndpoint(name: "http")
    .WithHttpEndpoint(name: "grpc", env: "GRPC_PORT")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithReference(redis).WaitFor(redis)
    .WithTokenKeys(tokens)
    .WithEnvironment("Api__GrpcAddress", api.GetEndpoint("grpc"))
    .DisableForwardedHeaders()
    .WithEksParameter("RateLimits__TrustedProxies", eks?.PodNetworks)
    .WithEksPodAddress("Relay__AdvertisedGrpcAddress", "grpc")
    // Memory is what sockets cost; they leave in waves when a pod goes, and a second pod must have room for them.
    .WithEksScaling(max: 30, cpu: 60, metric: new EksPodMetric("chat_sockets", Average: 10_000)).WithEksSize(cpuMillis: 500, memoryMi: 1024)
    .WithEksDrain(leaveSeconds: 5, stopSeconds: 20);

// Addresses that no setting names: API servers pass a room's changes on to its owner, and entries to the relay that holds a socket. They find each other in Redis.
api.WithEksPeers(api.GetEndpoint("http"), api.GetEndpoint("grpc"), relay.GetEndpoint("grpc"));

builder.AddProject<Projects.ChatPlatform_Gateway>("gateway", launchProfileName: null)
    .WithHttpEndpoint(port: backing.Ports.Gateway, name: "http")
    .WithHttpEndpoint(port: backing.Ports.GatewayGrpc, name: "grpc", env: "GRPC_PORT")
    .WithExternalHttpEndpoints()
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithEnvironment("Gateway__Api", api.GetEndpoint("http"))
    .WithEnvironment("Gateway__ApiGrpc", api.GetEndpoint("grpc"))
    .WithEnvironment("Gateway__Relay", relay.GetEndpoint("http"))
    .WithUrlForEndpoint("http", url => url.DisplayText = "Web client")
    .WithEksScaling(max: 20, cpu: 60, min: 2).WithEksSize(cpuMillis: 500, memoryMi: 256).WithEksDrain(leaveSeconds: 15, stopSeconds: 5)
    // A relay closes a socket after 50 s of silence, the gateway one after 100 s.
    .WithEksIngress("http", "grpc", idleSeconds: 120, "/chat.v1.ChatService", "/grpc.health.v1.Health")
    .WithEksColours("blue", "green");

builder.AddProject<Projects.ChatPlatform_Notifier>("notifier", launchProfileName: null)
    .WithHttpEndpoint(name: "http")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithReference(kafka).WaitFor(kafka)
    .WithAws(aws, [.. AwsGrant.Reads(ChatTables.Users, ChatTables.Members, ChatTables.Rooms), AwsGrant.Deletes(ChatTables.Users)]).WaitForCompletion(tables)
    .WithFcm(fcm)
    .WithEksScaling(max: 4, cpu: 70, min: 2);

// Another team's service: it knows the topic and nothing else.
builder.AddProject<Projects.ChatPlatform_Insights>("insights", launchProfileName: null)
    .WithHttpEndpoint(name: "http")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithReference(kafka).WaitFor(kafka)
    .WithEnvironment("Insights__DataPath", backing.DataFolder("insights"))
    .WithEksSingleton().WithEksSharedFolder("insights", backing.DataFolder("insights"), sizeGi: 5);

// Change data capture: every write to a table becomes a line in the lake. Users have no pipeline: device tokens and blocks stay where they are.
builder.AddCdcPipeline("chat-log", ChatTables.Log, aws, lambda, tables);
builder.AddCdcPipeline("chat-rooms", ChatTables.Rooms, aws, lambda, tables);
builder.AddCdcPipeline("chat-members", ChatTables.Members, aws, lambda, tables);
builder.AddOrdersSample(backing, aws, lambda);

builder.ShareTheDesk();
var app = builder.Build();
if (pipeline is null)
    app.Run();
else
    pipeline.Write(app.Services.GetServices<CdcPipeline>());
