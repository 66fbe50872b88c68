using System.Text;
using ChatPlatform.LocalAws.S3.Objects;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChatPlatform.UnitTests.LocalAws.S3;

public sealed class FileMediumTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s3-").FullName;

    public static TheoryData<string> Keys => new(
        "plain", "a/b/c", "/leading", "trailing/", "..", "../../etc/passwd", "a//b", "한국어/열쇠", "\U0001F600", "with space+plus%25", "con", "a\nb\u0001", new string('k', 1_024));

    [Theory]
    [MemberData(nameof(Keys))]
    public void Any_key_is_there_again_after_a_restart(string key)
    {
        Put(Open().CreateBucket("bucket", "eu-west-1"), key, "content");
        var found = Open().GetBucket("bucket").Get(key);
        found.Metadata.Key.ShouldBe(key);
        Text(found.Content).ShouldBe("content");
    }

    [Fact]
    public void Of_two_versions_that_a_crash_left_the_later_one_is_the_object()
    {
        var bucket = Open().CreateBucket("bucket", "eu-west-1");
        Put(bucket, "key", "first");
        var old = Directory.GetFiles(_folder, "*-*", SearchOption.AllDirectories).Single();
        File.Copy(old, old + ".saved");
        Put(bucket, "key", "second");
        File.Move(old + ".saved", old);

        Text(Open().GetBucket("bucket").Get("key").Content).ShouldBe("second");
        File.Exists(old).ShouldBeFalse();
    }

    [Fact]
    public void A_file_that_is_not_whole_is_set_aside_and_not_served()
    {
        Put(Open().CreateBucket("bucket", "eu-west-1"), "key", "content");
        var file = Directory.GetFiles(_folder, "*-*", SearchOption.AllDirectories).Single();
        using (var cut = File.OpenWrite(file))
            cut.SetLength(cut.Length - 3);
        Should.Throw<S3Exception>(() => Open().GetBucket("bucket").Get("key")).Type.ShouldBe("NoSuchKey");
        Directory.GetFiles(Path.Combine(_folder, "damaged")).Length.ShouldBe(1);
    }

    [Fact]
    public void What_was_staged_and_not_committed_is_gone()
    {
        var store = Open();
        store.CreateBucket("bucket", "eu-west-1");
        var abandoned = store.Stage();
        abandoned.Write("half"u8);
        Open().GetBucket("bucket").List(new("", "", "", false, 10)).Objects.ShouldBeEmpty();
        Directory.GetFiles(Path.Combine(_folder, "staging")).ShouldBeEmpty();
    }

    [Fact]
    public void A_reader_keeps_the_version_it_opened()
    {
        var bucket = Open().CreateBucket("bucket", "eu-west-1");
        Put(bucket, "key", "first");
        var (metadata, bytes) = bucket.Open("key", m => (0, m.Size));
        Put(bucket, "key", "second!");
        bucket.Remove("key", WriteCondition.None);
        using var reader = new StreamReader(bytes);
        reader.ReadToEnd().ShouldBe("first");
        metadata.Size.ShouldBe(5);
    }

    [Fact]
    public void Settings_and_unfinished_uploads_survive_and_a_deleted_bucket_does_not()
    {
        var store = Open();
        var bucket = store.CreateBucket("bucket", "eu-west-1");
        store.CreateBucket("gone", "eu-west-1");
        store.DeleteBucket("gone");
        bucket.Change(s => s with { Cors = [new CorsRule("one", ["*"], ["GET"], [], [], 60)] });
        bucket.StartUpload(new UploadSettings("upload", "key", DateTimeOffset.UnixEpoch, ObjectHeaders.None, null, ObjectChecksum.FullObject));
        using (var part = store.Stage())
        {
            part.Write("part"u8);
            bucket.PutPart("key", "upload", 3, part, null);
        }

        var again = Open();
        again.Buckets.Select(b => b.Name).ShouldBe(["bucket"]);
        again.GetBucket("bucket").Settings.Cors.Single().MaxAgeSeconds.ShouldBe(60);
        again.GetBucket("bucket").GetParts("key", "upload").Single().Metadata.PartNumber.ShouldBe(3);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private ObjectStore Open() => new(new FileMedium(_folder, fsync: true, NullLogger.Instance), TimeProvider.System);

    private static void Put(Bucket bucket, string key, string text)
    {
        using var staged = bucket.Stage();
        staged.Write(Encoding.UTF8.GetBytes(text));
        bucket.Put(key, staged, ObjectHeaders.None, null, WriteCondition.None);
    }

    private static string Text(StoredContent content)
    {
        using var reader = new StreamReader(content.OpenRead(0, content.Length));
        return reader.ReadToEnd();
    }
}
