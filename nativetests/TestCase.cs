// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using System.Runtime.ExceptionServices;
using Xunit.Abstractions;

namespace Lguest.NativeTests;

/// <summary>One test, or one line of a theory.</summary>
/// <param name="Class">Its class.</param>
/// <param name="Method">Its method.</param>
/// <param name="Arguments">What the method gets.</param>
/// <param name="Skip">Null, or why it is not run.</param>
internal sealed record TestCase(Type Class, MethodInfo Method, object?[] Arguments, string? Skip)
{
    /// <summary>Class and method, as a filter sees them.</summary>
    public string FullName => $"{Class.FullName}.{Method.Name}";

    /// <summary>As reports name it; no two have the same.</summary>
    public string Name { get; } = $"{Class.FullName}.{Method.Name}" + (Method.GetParameters() is { Length: > 0 } parameters
        ? $"({string.Join(", ", parameters.Zip(Arguments, (parameter, argument) => $"{parameter.Name}: {Show(argument)}"))})"
        : string.Empty);

    /// <summary>Tests of one group run one after the other.</summary>
    public string Group => CollectionOf(Class) ?? Class.FullName!;

    /// <summary>Runs it, on an object of its own.</summary>
    public void Run()
    {
        ConstructorInfo constructor = Class.GetConstructors()[0];
        object?[] parameters = constructor.GetParameters().Length == 0 ? [] : [new NoOutput()];
        object test = constructor.Invoke(parameters);
        try
        {
            if (Method.Invoke(test, Arguments) is Task task)
                task.GetAwaiter().GetResult();
        }
        catch (TargetInvocationException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerException!);
        }
        finally
        {
            (test as IDisposable)?.Dispose();
        }
    }

    private static string? CollectionOf(Type type) =>
        type.CustomAttributes.FirstOrDefault(attribute => attribute.AttributeType == typeof(CollectionAttribute))?.ConstructorArguments[0].Value as string;

    private static string Show(object? argument) => argument switch
    {
        null => "null",
        string text => $"\"{text}\"",
        Array array => $"[{string.Join(", ", array.Cast<object?>().Select(Show))}]",
        IFormattable value => value.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
        _ => argument.ToString() ?? string.Empty,
    };

    /// <summary>What tests write beside their results is for those who look at single tests.</summary>
    private sealed class NoOutput : ITestOutputHelper
    {
        public void WriteLine(string message)
        {
        }

        public void WriteLine(string format, params object[] args)
        {
        }
    }
}
