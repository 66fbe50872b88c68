using Microsoft.Extensions.Options;

namespace ChatPlatform.Insights.Articles;

internal static class ArticleEndpoints
{
    private const int MostListed = 100;

    /// <summary>Adds the counts and their journal from the section <c>Insights</c>; a wrong setting or a folder that cannot be used stops the service at start.</summary>
    public static void AddArticleCounts(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<InsightsOptions>().BindConfiguration(InsightsOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<InsightsOptions>, InsightsOptionsValidator>();
        builder.Services.AddSingleton<ArticleCounts>();
        builder.Services.AddSingleton<CountsJournal>();
    }

    /// <summary><c>GET /v1/articles/{articleId}</c> and <c>GET /v1/articles?limit=20</c>, most messages first: <c>{"articleId","rooms","messages","lastMessageAt"}</c>.</summary>
    public static void MapArticles(this IEndpointRouteBuilder app)
    {
        app.MapGet("/v1/articles/{articleId}", (string articleId, ArticleCounts counts) => counts.Find(articleId) is { } article
            ? Results.Json(article)
            : Results.Problem("Nobody has opened a room about this article.", statusCode: 404, extensions: new Dictionary<string, object?> { ["code"] = "article_not_found" }));
        app.MapGet("/v1/articles", (ArticleCounts counts, int limit = 20) => limit is >= 1 and <= MostListed
            ? Results.Json(new { items = counts.Top(limit) })
            : Results.Problem($"'limit' must be from 1 to {MostListed}.", statusCode: 400, extensions: new Dictionary<string, object?> { ["code"] = "invalid_limit" }));
    }
}
