using ChatPlatform.AppHost;
using ChatPlatform.AppHost.Backing;
using ChatPlatform.AppHost.Pipelines;
using ChatPlatform.AppHost.Samples;
using ChatPlatform.Contracts.Tables;
using Microsoft.Extensions.DependencyInjection;

const string UploadBucket = "chat-attachments";
StartProblem.EndsTheProcessWithOneLine();
// ./dev pipeline writes a template of this model instead of running it.
var pipeline = PipelineCommand.Of(args);
var builder = DistributedApplication.CreateBuilder(pipeline?.HostArguments ?? args);

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

// The chat itself.
var api = builder.AddProject<Projects.ChatPlatform_Api>("api", launchProfileName: null)
    .WithReplicas(2)
    .WithHttpEndpoint(name: "http")
    .WithHttpEndpoint(name: "grpc", env: "GRPC_PORT")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithReference(redis).WaitFor(redis)
    .WithAws(aws).WaitForCompletion(tables).WaitForCompletion(uploads)
    .WithTokenKeys(tokens)
    .WithEnvironment("Attachments__Bucket", UploadBucket)
    .WithEnvironment("Events__Endpoint", forwarder.Address)
    .WithEnvironment("Events__SpoolPath", backing.DataFolder("api-spool"));

var relay = builder.AddProject<Projects.ChatPlatform_Relay>("relay", launchProfileName: null)
    .WithReplicas(2)
    .WithHttpEndpoint(name: "http")
    .WithHttpEndpoint(name: "grpc", env: "GRPC_PORT")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithReference(redis).WaitFor(redis)
    .WithTokenKeys(tokens)
    .WithEnvironment("Api__GrpcAddress", api.GetEndpoint("grpc"));

builder.AddProject<Projects.ChatPlatform_Gateway>("gateway", launchProfileName: null)
    .WithHttpEndpoint(port: backing.Ports.Gateway, name: "http")
    .WithHttpEndpoint(port: backing.Ports.GatewayGrpc, name: "grpc", env: "GRPC_PORT")
    .WithExternalHttpEndpoints()
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithEnvironment("Gateway__Api", api.GetEndpoint("http"))
    .WithEnvironment("Gateway__ApiGrpc", api.GetEndpoint("grpc"))
    .WithEnvironment("Gateway__Relay", relay.GetEndpoint("http"))
    .WithUrlForEndpoint("http", url => url.DisplayText = "Web client");

builder.AddProject<Projects.ChatPlatform_Notifier>("notifier", launchProfileName: null)
    .WithHttpEndpoint(name: "http")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithReference(kafka).WaitFor(kafka)
    .WithAws(aws).WaitForCompletion(tables)
    .WithFcm(fcm);

// Another team's service: it knows the topic and nothing else.
builder.AddProject<Projects.ChatPlatform_Insights>("insights", launchProfileName: null)
    .WithHttpEndpoint(name: "http")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithReference(kafka).WaitFor(kafka)
    .WithEnvironment("Insights__DataPath", backing.DataFolder("insights"));

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
