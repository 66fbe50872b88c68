using Amazon;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.AWS;

namespace Aspire.Hosting.AWS
{
    /// <summary>Which profile and region programs use to reach AWS.</summary>
    public interface IAWSSDKConfig
    {
        string? Profile { get; set; }

        RegionEndpoint? Region { get; set; }
    }

    internal sealed class AWSSDKConfig : IAWSSDKConfig
    {
        public string? Profile { get; set; }

        public RegionEndpoint? Region { get; set; }
    }
}

namespace Aspire.Hosting
{
    public static class SDKResourceExtensions
    {
        public static IAWSSDKConfig AddAWSSDKConfig(this IDistributedApplicationBuilder builder) => new AWSSDKConfig();

        public static IAWSSDKConfig WithProfile(this IAWSSDKConfig config, string profile)
        {
            config.Profile = profile;
            return config;
        }

        public static IAWSSDKConfig WithRegion(this IAWSSDKConfig config, RegionEndpoint region)
        {
            config.Region = region;
            return config;
        }

        public static IAWSSDKConfig WithRegion(this IAWSSDKConfig config, string systemName) =>
            config.WithRegion(RegionEndpoint.GetBySystemName(systemName));

        /// <summary>In run mode: AWS_PROFILE and AWS_REGION for SDK clients, AWS__Profile and AWS__Region for the configuration of .NET programs.</summary>
        public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, IAWSSDKConfig awsSdkConfig)
            where TDestination : IResourceWithEnvironment => builder.WithEnvironment(context =>
            {
                if (context.ExecutionContext.IsPublishMode)
                {
                    return;
                }

                if (!string.IsNullOrEmpty(awsSdkConfig.Profile))
                {
                    context.EnvironmentVariables["AWS__Profile"] = awsSdkConfig.Profile;
                    context.EnvironmentVariables["AWS_PROFILE"] = awsSdkConfig.Profile;
                }

                if (awsSdkConfig.Region is { } region)
                {
                    context.EnvironmentVariables["AWS__Region"] = region.SystemName;
                    context.EnvironmentVariables["AWS_REGION"] = region.SystemName;
                }
            });
    }
}
