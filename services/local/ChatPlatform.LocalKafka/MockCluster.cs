using System.Net;
using System.Runtime.InteropServices;
using System.Text;

namespace ChatPlatform.LocalKafka;

/// <summary>
/// The mock cluster that librdkafka brings along (rdkafka_mock.h: produce, idempotent and transactional produce, fetch, consumer groups, offset commits, topic auto creation). It listens on
/// a random loopback port, keeps at most 5 MB or 100,000 messages of a partition, and forgets everything with the process. Confluent.Kafka has no call for it, so the same native library
/// is called directly; the API is marked experimental, and the package version is pinned.
/// </summary>
internal sealed partial class MockCluster : IDisposable
{
    private const string Library = "librdkafka";
    private const int Producer = 0;
    private readonly nint _client;
    private readonly nint _cluster;

    static MockCluster() => NativeLibrary.SetDllImportResolver(typeof(MockCluster).Assembly, (name, assembly, paths) =>
    {
        if (name != Library)
            return 0;
        // librdkafka.redist brings several builds: the first links Cyrus SASL under the name of newer distributions, the second links none, the third is for musl.
        foreach (var build in (string[])["librdkafka", "centos8-librdkafka", "alpine-librdkafka"])
        {
            if (NativeLibrary.TryLoad(build, assembly, paths, out var handle))
                return handle;
        }

        return 0;
    });

    /// <exception cref="LocalKafkaException">librdkafka refused.</exception>
    public MockCluster(int brokers)
    {
        Span<byte> reason = stackalloc byte[512];
        _client = New(Producer, NewConfiguration(), ref MemoryMarshal.GetReference(reason), (nuint)reason.Length);
        if (_client == 0)
            throw new LocalKafkaException("librdkafka gave no client: " + Encoding.UTF8.GetString(reason[..reason.IndexOf((byte)0)]));
        _cluster = NewCluster(_client, brokers);
        if (_cluster == 0)
            throw new LocalKafkaException("librdkafka gave no mock cluster.");
        Address = IPEndPoint.Parse(Marshal.PtrToStringUTF8(Bootstraps(_cluster))!.Split(',')[0].Replace("localhost", "127.0.0.1"));
    }

    /// <summary>Where the first broker listens, and what the cluster's metadata tell clients.</summary>
    public IPEndPoint Address { get; }

    /// <exception cref="LocalKafkaException">librdkafka refused; the message holds its error code.</exception>
    public void CreateTopic(string name, int partitions)
    {
        var error = CreateTopic(_cluster, name, partitions, 1);
        if (error != 0)
            throw new LocalKafkaException($"librdkafka refused the topic '{name}' with error {error}.");
    }

    public void Dispose()
    {
        DestroyCluster(_cluster);
        Destroy(_client);
    }

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_new")]
    private static partial nint NewConfiguration();

    [LibraryImport(Library, EntryPoint = "rd_kafka_new")]
    private static partial nint New(int type, nint configuration, ref byte reason, nuint reasonBytes);

    [LibraryImport(Library, EntryPoint = "rd_kafka_destroy")]
    private static partial void Destroy(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_cluster_new")]
    private static partial nint NewCluster(nint client, int brokers);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_cluster_destroy")]
    private static partial void DestroyCluster(nint cluster);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_cluster_bootstraps")]
    private static partial nint Bootstraps(nint cluster);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_topic_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateTopic(nint cluster, string topic, int partitions, int replicationFactor);
}
