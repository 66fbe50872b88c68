using System.Security.Cryptography;

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>What a parameter is when the configuration does not say.</summary>
    public abstract class ParameterDefault
    {
        public abstract string GetDefaultValue();
    }

    /// <summary>A value from outside, read from the configuration key <c>Parameters:NAME</c>.</summary>
    public class ParameterResource : Resource, IExpressionValue, IResourceWithoutLifetime
    {
        private readonly Lazy<string> _value;

        public ParameterResource(string name, Func<ParameterDefault?, string> callback, bool secret = false) : base(name)
        {
            ArgumentNullException.ThrowIfNull(callback);
            // An exception is not kept: a value set later is found by the next asker.
            _value = new Lazy<string>(() => callback(Default), LazyThreadSafetyMode.PublicationOnly);
            Secret = secret;
        }

        public ParameterDefault? Default { get; set; }

        public bool Secret { get; }

        public bool IsConnectionString { get; set; }

        public string? Description { get; set; }

        public string Value => _value.Value;

        public string ValueExpression => IsConnectionString ? $"{{{Name}.connectionString}}" : $"{{{Name}.value}}";

        public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken) => new(Value);
    }

    internal sealed class ConstantParameterDefault(Func<string> value) : ParameterDefault
    {
        public override string GetDefaultValue() => value();
    }

    /// <summary>A random text of at least 128 bits. It differs in every run unless the configuration holds the parameter.</summary>
    public sealed class GenerateParameterDefault : ParameterDefault
    {
        public int MinLength { get; set; }

        public bool Lower { get; set; } = true;

        public bool Upper { get; set; } = true;

        public bool Numeric { get; set; } = true;

        public bool Special { get; set; } = true;

        public int MinLower { get; set; }

        public int MinUpper { get; set; }

        public int MinNumeric { get; set; }

        public int MinSpecial { get; set; }

        public override string GetDefaultValue()
        {
            // The alphabets leave out what is easily confused or needs quoting.
            (bool Allowed, int Minimum, string Letters)[] sets =
            [
                (Lower, MinLower, "abcdefghjkmnpqrstuvwxyz"), (Upper, MinUpper, "ABCDEFGHJKMNPQRSTUVWXYZ"),
                (Numeric, MinNumeric, "0123456789"), (Special, MinSpecial, "-_.{}~()*+!"),
            ];
            var all = string.Concat(sets.Where(s => s.Allowed).Select(s => s.Letters));
            if (all.Length == 0)
            {
                throw new InvalidOperationException("A generated parameter needs at least one kind of characters.");
            }

            var enough = (int)Math.Ceiling(128 / Math.Log2(all.Length));
            var letters = sets.Where(s => s.Allowed).SelectMany(s => RandomNumberGenerator.GetItems<char>(s.Letters, s.Minimum)).ToList();
            letters.AddRange(RandomNumberGenerator.GetItems<char>(all, Math.Max(0, Math.Max(MinLength, enough) - letters.Count)));
            var text = letters.ToArray();
            RandomNumberGenerator.Shuffle(text.AsSpan());
            return new string(text);
        }
    }
}

namespace Aspire.Hosting
{
    using Aspire.Hosting.ApplicationModel;

    public class MissingParameterValueException : DistributedApplicationException
    {
        public MissingParameterValueException(string message) : base(message)
        {
        }

        public MissingParameterValueException(string message, Exception innerException) : base(message, innerException)
        {
        }
    }

    public sealed class ConnectionStringResource(string name, ReferenceExpression connectionStringExpression)
        : Resource(name), IResourceWithConnectionString, IResourceWithWaitSupport
    {
        public ReferenceExpression ConnectionStringExpression { get; } = connectionStringExpression;
    }

    internal sealed class ConnectionStringParameterResource(string name, Func<ParameterDefault?, string> callback, string? environmentVariableName)
        : ParameterResource(name, callback, secret: true), IResourceWithConnectionString
    {
        public string? ConnectionStringEnvironmentVariable { get; } = environmentVariableName;

        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{(ParameterResource)this}");

        string IManifestExpressionProvider.ValueExpression => $"{{{Name}.connectionString}}";

        ValueTask<string?> IValueProvider.GetValueAsync(CancellationToken cancellationToken) => GetValueAsync(cancellationToken);
    }

    public static class ParameterResourceBuilderExtensions
    {
        public static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, string name, bool secret = false) =>
            builder.Add(name, null, secret);

        public static IResourceBuilder<ParameterResource> AddParameter(
            this IDistributedApplicationBuilder builder, string name, string value, bool publishValueAsDefault = false, bool secret = false) =>
            builder.Add(name, new ConstantParameterDefault(() => value), secret);

        public static IResourceBuilder<ParameterResource> AddParameter(
            this IDistributedApplicationBuilder builder, string name, Func<string> valueGetter, bool publishValueAsDefault = false, bool secret = false) =>
            builder.Add(name, new ConstantParameterDefault(valueGetter), secret);

        /// <param name="persist">Accepted for a generated value, which here lives as long as the run.</param>
        public static IResourceBuilder<ParameterResource> AddParameter(
            this IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret = false, bool persist = false) =>
            builder.Add(name, value, secret);

        public static IResourceBuilder<ParameterResource> AddParameterFromConfiguration(
            this IDistributedApplicationBuilder builder, string name, string configurationKey, bool secret = false) =>
            builder.Add(name, null, secret, configurationKey);

        public static IResourceBuilder<ParameterResource> WithDescription(
            this IResourceBuilder<ParameterResource> builder, string description, bool enableMarkdown = false)
        {
            builder.Resource.Description = description;
            return builder;
        }

        /// <summary>A connection string from outside, read from the configuration key <c>ConnectionStrings:NAME</c>.</summary>
        public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(
            this IDistributedApplicationBuilder builder, string name, string? environmentVariableName = null)
        {
            var parameter = new ConnectionStringParameterResource(
                name,
                _ => builder.Configuration.GetConnectionString(name)
                    ?? throw new MissingParameterValueException(
                        $"Connection string parameter resource could not be used because connection string '{name}' is missing."),
                environmentVariableName)
            {
                IsConnectionString = true,
            };
            return builder.AddResource(parameter);
        }

        public static ParameterResource CreateDefaultPasswordParameter(
            IDistributedApplicationBuilder builder, string name, bool lower = true, bool upper = true, bool numeric = true, bool special = true,
            int minLower = 0, int minUpper = 0, int minNumeric = 0, int minSpecial = 0) =>
            builder.Create(
                name,
                new GenerateParameterDefault
                {
                    MinLength = 22, Lower = lower, Upper = upper, Numeric = numeric, Special = special,
                    MinLower = minLower, MinUpper = minUpper, MinNumeric = minNumeric, MinSpecial = minSpecial,
                },
                secret: true);

        private static IResourceBuilder<ParameterResource> Add(
            this IDistributedApplicationBuilder builder, string name, ParameterDefault? value, bool secret, string? key = null) =>
            builder.AddResource(builder.Create(name, value, secret, key));

        private static ParameterResource Create(
            this IDistributedApplicationBuilder builder, string name, ParameterDefault? value, bool secret, string? key = null)
        {
            key ??= $"Parameters:{name}";
            return new ParameterResource(
                name,
                parameterDefault => builder.Configuration[key] ?? builder.Configuration[key.Replace('-', '_')] ?? parameterDefault?.GetDefaultValue()
                    ?? throw new MissingParameterValueException(
                        $"Parameter resource could not be used because configuration key '{key}' is missing and the Parameter has no default value."),
                secret)
            {
                Default = value,
            };
        }
    }

    public static class ConnectionStringBuilderExtensions
    {
        public static IResourceBuilder<ConnectionStringResource> AddConnectionString(
            this IDistributedApplicationBuilder builder, string name, ReferenceExpression connectionStringExpression) =>
            builder.AddResource(new ConnectionStringResource(name, connectionStringExpression));

        public static IResourceBuilder<ConnectionStringResource> AddConnectionString(
            this IDistributedApplicationBuilder builder, string name, Action<ReferenceExpressionBuilder> connectionStringBuilder)
        {
            var expression = new ReferenceExpressionBuilder();
            connectionStringBuilder(expression);
            return builder.AddConnectionString(name, expression.Build());
        }
    }
}
