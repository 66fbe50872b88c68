using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceTests.Chat;

namespace ChatPlatform.ServiceTests.Api;

/// <summary>Uploads go straight to S3, which refuses whatever was not announced; messages name them.</summary>
[Collection(ApiCollection.Name)]
public sealed class AttachmentTests(ApiSystem system)
{
    private static readonly HttpClient Http = new();
    private static readonly byte[] Picture = [0x89, 0x50, 0x4e, 0x47, 1, 2, 3, 4, 5];

    [Theory]
    [InlineData("image", "image/png", null)]
    [InlineData("image", "image/jpeg", "a caption")]
    [InlineData("text", "application/pdf", "the contract")]
    [InlineData("text", "application/pdf", null)]
    [InlineData("text", "image/webp", null)]
    public async Task An_uploaded_file_is_read_by_members_through_the_message_that_names_it(string kind, string contentType, string? text)
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        var id = await UploadedAsync(mina, contentType);

        var sent = await mina.PostAsync($"/v1/rooms/{room}/messages", new { clientMessageId = "a", kind, text, attachmentIds = new[] { id } });
        sent.Status.ShouldBe(HttpStatusCode.Created);
        var retried = await mina.PostAsync($"/v1/rooms/{room}/messages", new { clientMessageId = "a", kind, text, attachmentIds = new[] { id } }, api: 1);
        retried.Status.ShouldBe(HttpStatusCode.OK);

        var list = (await joon.GetAsync($"/v1/rooms/{room}/messages")).Body.GetProperty("items")[0];
        var log = (await joon.GetAsync($"/v1/rooms/{room}/log")).Body.GetProperty("items")[0].GetProperty("message");
        var last = (await joon.GetAsync("/v1/rooms")).Body.GetProperty("items")[0].GetProperty("lastMessage");
        foreach (var message in new[] { sent.Body, retried.Body, list, log, last })
        {
            var attachment = message.GetProperty("attachments").EnumerateArray().Single();
            attachment.GetProperty("attachmentId").GetString().ShouldBe(id);
            attachment.GetProperty("contentType").GetString().ShouldBe(contentType);
            attachment.GetProperty("size").GetInt64().ShouldBe(Picture.Length);
            attachment.GetProperty("fileName").GetString().ShouldBe("사진.bin");
            using var read = await Http.GetAsync(attachment.GetProperty("url").GetString());
            (await read.Content.ReadAsByteArrayAsync()).ShouldBe(Picture);
            read.Content.Headers.ContentType!.MediaType.ShouldBe(contentType);
        }
    }

    [Theory]
    [InlineData("larger")]
    [InlineData("smaller")]
    [InlineData("another type")]
    [InlineData("no type")]
    [InlineData("a second time")]
    [InlineData("another key")]
    [InlineData("another method")]
    public async Task S3_refuses_an_upload_that_is_not_as_announced(string fault)
    {
        var mina = await system.NewUserAsync();
        var upload = (await mina.PostAsync("/v1/attachments", new { contentType = "image/png", size = Picture.Length, fileName = "p.png" })).Body;
        if (fault == "a second time")
            (await PutAsync(upload, Picture, "image/png")).ShouldBe(HttpStatusCode.OK);

        var status = fault switch
        {
            "larger" => await PutAsync(upload, [.. Picture, 0], "image/png"),
            "smaller" => await PutAsync(upload, Picture[1..], "image/png"),
            "another type" => await PutAsync(upload, Picture, "text/html"),
            "no type" => await PutAsync(upload, Picture, null),
            "another key" => await PutAsync(upload, Picture, "image/png", url => url.Replace("/attachments/", "/other/", StringComparison.Ordinal)),
            "another method" => await PutAsync(upload, Picture, "image/png", method: HttpMethod.Delete),
            _ => await PutAsync(upload, Picture, "image/png"),
        };

        ((int)status).ShouldBeInRange(400, 499);
    }

    [Theory]
    [InlineData(null, 10, "a.png", "invalid_contentType")]
    [InlineData("", 10, "a.png", "invalid_contentType")]
    [InlineData("text/html", 10, "a.html", "invalid_contentType")]
    [InlineData("image/svg+xml", 10, "a.svg", "invalid_contentType")]
    [InlineData("image/png; charset=x", 10, "a.png", "invalid_contentType")]
    [InlineData("image/png", 0, "a.png", "invalid_size")]
    [InlineData("image/png", -1, "a.png", "invalid_size")]
    [InlineData("image/png", null, "a.png", "invalid_size")]
    [InlineData("image/png", 10_485_761, "a.png", "invalid_size")]
    [InlineData("application/pdf", 52_428_801, "a.pdf", "invalid_size")]
    [InlineData("image/png", 10, null, "invalid_fileName")]
    [InlineData("image/png", 10, "", "invalid_fileName")]
    [InlineData("image/png", 10, "../a.png", "invalid_fileName")]
    [InlineData("image/png", 10, "a\nb", "invalid_fileName")]
    public async Task What_may_not_be_uploaded_is_a_400_in_REST_and_gRPC(string? contentType, int? size, string? fileName, string code)
    {
        var mina = await system.NewUserAsync();

        var answer = await mina.PostAsync("/v1/attachments", new { contentType, size, fileName });
        answer.Status.ShouldBe(HttpStatusCode.BadRequest);
        answer.Code.ShouldBe(code);

        var request = new CreateAttachmentRequest { ContentType = contentType ?? "", Size = size ?? 0, FileName = fileName ?? "" };
        (await ApiSystem.RefusalOfAsync(async () => await system.Grpc[0].CreateAttachmentAsync(request, ApiSystem.As(mina)))).ShouldBe((Grpc.Core.StatusCode.InvalidArgument, code));
    }

    [Fact]
    public async Task The_largest_allowed_sizes_are_allowed()
    {
        var mina = await system.NewUserAsync();

        (await mina.PostAsync("/v1/attachments", new { contentType = "image/png", size = 10 * 1024 * 1024, fileName = "p.png" })).Status.ShouldBe(HttpStatusCode.OK);
        (await mina.PostAsync("/v1/attachments", new { contentType = "VIDEO/mp4", size = 50 * 1024 * 1024, fileName = "v.mp4" })).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("image", "none", 400, "invalid_attachmentIds")]
    [InlineData("image", "pdf", 400, "invalid_attachmentIds")]
    [InlineData("image", "twice", 400, "invalid_attachmentIds")]
    [InlineData("image", "eleven", 400, "invalid_attachmentIds")]
    [InlineData("sticker", "png", 400, "invalid_attachmentIds")]
    [InlineData("location", "png", 400, "invalid_attachmentIds")]
    [InlineData("image", "unknown", 404, "attachment_not_found")]
    [InlineData("image", "another user's", 404, "attachment_not_found")]
    [InlineData("image", "not uploaded", 409, "attachment_not_uploaded")]
    public async Task A_message_names_only_uploads_that_are_there_its_senders_and_of_its_kind(string kind, string what, int status, string code)
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        string[] ids = what switch
        {
            "none" => [],
            "pdf" => [await UploadedAsync(mina, "application/pdf")],
            "twice" => [.. Enumerable.Repeat(await UploadedAsync(mina, "image/png"), 2)],
            "eleven" => [.. Enumerable.Range(0, 11).Select(i => $"{i}")],
            "unknown" => ["no-such-attachment"],
            "another user's" => [await UploadedAsync(joon, "image/png")],
            "not uploaded" => [(await AnnounceAsync(mina, "image/png")).GetProperty("attachmentId").GetString()!],
            _ => [await UploadedAsync(mina, "image/png")],
        };

        var answer = await mina.PostAsync(
            $"/v1/rooms/{room}/messages", new { clientMessageId = "a", kind, attachmentIds = ids, payload = kind is "sticker" or "location" ? new { x = 1 } : null });

        ((int)answer.Status).ShouldBe(status);
        answer.Code.ShouldBe(code);
        (await mina.LogAsync(room)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_deleted_message_gives_its_attachments_no_more()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await mina.PostAsync($"/v1/rooms/{room}/messages", new { clientMessageId = "a", kind = "image", attachmentIds = new[] { await UploadedAsync(mina, "image/png") } });

        var deleted = await mina.DeleteAsync($"/v1/rooms/{room}/messages/1");

        deleted.Body.GetProperty("attachments").GetArrayLength().ShouldBe(0);
        (await joon.GetAsync($"/v1/rooms/{room}/messages")).Body.GetProperty("items")[0].GetProperty("attachments").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task gRPC_uploads_and_sends_as_REST_does_and_an_event_carries_no_link()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        var upload = await system.Grpc[1].CreateAttachmentAsync(
            new CreateAttachmentRequest { ContentType = "image/png", Size = Picture.Length, FileName = "p.png" }, ApiSystem.As(mina));
        (await PutAsync(upload.UploadUrl, upload.Headers, Picture, "image/png", HttpMethod.Put)).ShouldBe(HttpStatusCode.OK);

        var request = new SendMessageRequest { RoomId = room, ClientMessageId = "g", Kind = "image", AttachmentIds = { upload.AttachmentId } };
        var sent = await system.Grpc[0].SendMessageAsync(request, ApiSystem.As(mina));

        var json = JsonElement.Parse(sent.Message.Json.Span);
        using var read = await Http.GetAsync(json.GetProperty("attachments")[0].GetProperty("url").GetString());
        read.StatusCode.ShouldBe(HttpStatusCode.OK);
        var spooled = system.Chat.SpooledEvents;
        spooled.ShouldContain($"\"attachmentId\":\"{upload.AttachmentId}\"");
        spooled.ShouldNotContain($"attachments/{upload.AttachmentId}");
    }

    private static async Task<JsonElement> AnnounceAsync(ChatUser user, string contentType)
    {
        var answer = await user.PostAsync("/v1/attachments", new { contentType, size = Picture.Length, fileName = "사진.bin" });
        answer.Status.ShouldBe(HttpStatusCode.OK);
        return answer.Body;
    }

    private static async Task<string> UploadedAsync(ChatUser user, string contentType)
    {
        var upload = await AnnounceAsync(user, contentType);
        upload.GetProperty("method").GetString().ShouldBe("PUT");
        (await PutAsync(upload, Picture, contentType)).ShouldBe(HttpStatusCode.OK);
        return upload.GetProperty("attachmentId").GetString()!;
    }

    private static Task<HttpStatusCode> PutAsync(JsonElement upload, byte[] body, string? contentType, Func<string, string>? url = null, HttpMethod? method = null) => PutAsync(
        (url ?? (same => same))(upload.GetProperty("uploadUrl").GetString()!),
        upload.GetProperty("headers").EnumerateObject().ToDictionary(header => header.Name, header => header.Value.GetString()!),
        body,
        contentType,
        method ?? HttpMethod.Put);

    private static async Task<HttpStatusCode> PutAsync(string url, IDictionary<string, string> headers, byte[] body, string? contentType, HttpMethod method)
    {
        using var request = new HttpRequestMessage(method, url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = contentType is null ? null : MediaTypeHeaderValue.Parse(contentType);
        foreach (var (name, value) in headers.Where(header => !header.Key.StartsWith("Content-", StringComparison.Ordinal)))
            request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await Http.SendAsync(request);
        return answer.StatusCode;
    }
}
