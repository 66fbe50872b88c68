using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace ClientSubstitutes.Tests;

internal static class TestHost
{
    /// <summary>An application that knows nothing but this configuration.</summary>
    public static HostApplicationBuilder CreateBuilder(Dictionary<string, string?> configuration)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(configuration);
        return builder;
    }
}
