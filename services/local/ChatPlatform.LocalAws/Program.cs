using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.Faults;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;
using ChatPlatform.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);

builder.AddServiceDefaults();
builder.AddDataFolder();
builder.AddAwsJson();

builder.Services.AddDynamoDb().AddStreams().AddObjectStore().AddFirehose();

var app = builder.Build();

app.MapDefaultEndpoints();
app.MapServiceList();
app.MapFaults();
app.MapAwsJson();
app.MapS3();

app.Run();
