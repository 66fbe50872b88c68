using ChatPlatform.AppHost.Backing;
using ChatPlatform.AppHost.Pipelines;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.AppHost.Samples;

/// <summary>Another team's table with its own pipeline into the lake: what a team has to write. Off unless <c>Samples:Orders</c> is true.</summary>
internal static class OrdersSample
{
    public static TableSchema Orders { get; } = new("orders", new TableKey("orderId"), null, [], StreamView.NewAndOldImages);

    public static void AddOrdersSample(this IDistributedApplicationBuilder builder, ChatBacking backing, AwsEdge aws, IResourceBuilder<ProjectResource>? lambda)
    {
        switch (builder.Configuration["Samples:Orders"])
        {
            case null or "" or "false":
                return;
            case "true":
                var tables = backing.AddTables("orders-tables", aws, [Orders]);
                builder.AddCdcPipeline("orders", Orders, aws, lambda, tables);
                return;
            case var other:
                throw new StartProblem($"Samples__Orders is '{other}'; it must be true or false.");
        }
    }
}
