// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using Xunit.Sdk;

namespace Lguest.NativeTests;

/// <summary>Finds the tests of this program as xunit does, by its attributes.</summary>
internal static class TestCatalog
{
    /// <summary>All of them, always in the same order.</summary>
    public static List<TestCase> All()
    {
        List<TestCase> cases = [];
        foreach (Type type in typeof(TestCatalog).Assembly.GetTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            if (!type.IsClass || type.IsAbstract)
                continue;
            foreach (MethodInfo method in type.GetMethods().OrderBy(method => method.Name, StringComparer.Ordinal))
                cases.AddRange(Cases(type, method));
        }

        return cases;
    }

    private static IEnumerable<TestCase> Cases(Type type, MethodInfo method)
    {
        if (method.GetCustomAttribute<FactAttribute>() is not { } fact)
            yield break;
        if (fact is not TheoryAttribute)
        {
            yield return new TestCase(type, method, [], fact.Skip);
            yield break;
        }

        foreach (DataAttribute data in method.GetCustomAttributes<DataAttribute>())
        {
            foreach (object?[] arguments in data.GetData(method))
                yield return new TestCase(type, method, arguments, fact.Skip ?? data.Skip);
        }
    }
}
