using System.Diagnostics;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace ChatPlatform.ServiceDefaults;

/// <summary>The DynamoDB client of a service. Endpoint, region and credentials come from the standard AWS settings (<c>AWS_ENDPOINT_URL</c>, <c>AWS_REGION</c>, …).</summary>
public static class DynamoDb
{
    /// <summary>Adds one <see cref="IAmazonDynamoDB"/> for the process (thread-safe) and a readiness check that every one of <paramref name="tables"/> is <c>ACTIVE</c>.</summary>
    public static TBuilder AddDynamoDb<TBuilder>(this TBuilder builder, params string[] tables)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddSingleton<IAmazonDynamoDB>(_ => new AmazonDynamoDBClient(new AmazonDynamoDBConfig
        {
            // A conditional write is retried by its caller, who knows what a conflict means; the client retries only what never reached the table or was throttled.
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = 4,
        }));
        builder.Services.AddHealthChecks().AddTypeActivatedCheck<TablesActive>("dynamodb", args: [tables]);
        return builder;
    }

    private sealed class TablesActive(IAmazonDynamoDB client, string[] tables) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            // Probes come every few seconds, from the gRPC health service too: under a parent that is not sampled they stay out of the traces.
            Activity.Current = null;
            using var unsampled = new Activity("health check").SetIdFormat(ActivityIdFormat.W3C).Start();
            try
            {
                foreach (var table in tables)
                {
                    var answer = await client.DescribeTableAsync(table, cancellationToken);
                    if (answer.Table.TableStatus != TableStatus.ACTIVE)
                        return HealthCheckResult.Unhealthy($"table {table} is {answer.Table.TableStatus}");
                }

                return HealthCheckResult.Healthy();
            }
            catch (ResourceNotFoundException)
            {
                return HealthCheckResult.Unhealthy("a table is missing");
            }
            catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException)
            {
                return HealthCheckResult.Unhealthy("DynamoDB does not answer", error);
            }
        }
    }
}
