// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.NativeTests;

/// <summary>Which tests to run: what is usual of <c>dotnet test --filter</c>.</summary>
/// <param name="parts">A test is meant whose name has one of them in it.</param>
internal sealed class TestFilter(string[] parts)
{
    private const string Contains = "FullyQualifiedName~";

    /// <summary>Every test.</summary>
    public static readonly TestFilter All = new([string.Empty]);

    /// <summary>Reads FullyQualifiedName~TEXT|FullyQualifiedName~TEXT.</summary>
    /// <returns>Null when it is of another form.</returns>
    public static TestFilter? Parse(string text)
    {
        string[] terms = text.Split('|', StringSplitOptions.TrimEntries);
        return Array.TrueForAll(terms, term => term.StartsWith(Contains, StringComparison.Ordinal) && term.AsSpan().IndexOfAny("&()!") < 0)
            ? new TestFilter(Array.ConvertAll(terms, term => term[Contains.Length..]))
            : null;
    }

    /// <summary>Whether a test is meant.</summary>
    /// <param name="name">Its class and method.</param>
    public bool Matches(string name) => Array.Exists(parts, part => name.Contains(part, StringComparison.OrdinalIgnoreCase));
}
