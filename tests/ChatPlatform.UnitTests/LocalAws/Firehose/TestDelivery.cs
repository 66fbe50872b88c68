using System.Diagnostics.Metrics;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Firehose.Processing;
using ChatPlatform.LocalAws.Glue;
using ChatPlatform.LocalAws.S3.Objects;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChatPlatform.UnitTests.LocalAws.Firehose;

/// <summary>What a delivery stream under test stands on.</summary>
internal static class TestDelivery
{
    public static DeliveryContext Context(
        ObjectStore store, TimeProvider time, Meter meter, FirehoseOptions? options = null, GlueCatalog? catalog = null, LambdaTransformation? lambda = null) =>
        new(store, catalog ?? new GlueCatalog(null), new RecordProcessing(lambda, "ap-northeast-2"), "ap-northeast-2", time, new FirehoseMetrics(meter), options ?? new FirehoseOptions(), Fsync: false, NullLogger.Instance);
}
