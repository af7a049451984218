// SPDX-License-Identifier: GPL-2.0-or-later
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("Lguest.Tests.Support.LongestFirst", "Lguest.Tests")]

namespace Lguest.Tests.Support;

/// <summary>
/// The classes that take longest begin first: one that begins last runs on alone, with a processor idle. A class that is not
/// named here comes after them, in xunit's own order.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly List<string> s_long =
    [
        LowMemory.Name,
        Of<WholeSystem.ConformanceTests>(),
        Of<Network.SharedNetworkTests>(),
        Of<EngineParts.TranslatorHostileGuests>(),
        Of<EngineParts.MappingLimitTests>(),
        Of<Inspect.GdbTests>(),
        Of<Inspect.StatisticsTests>(),
        Of<Inspect.TraceTests>(),
        Of<EngineParts.InterpreterHostileGuests>(),
        Of<EngineParts.SignalHandlersTests>(),
        Of<Inspect.GdbProtocolTests>(),
        Of<Network.TapTests>(),
    ];

    /// <inheritdoc/>
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(collection => s_long.IndexOf(collection.DisplayName) is >= 0 and int place ? place : s_long.Count);

    private static string Of<T>() => "Test collection for " + typeof(T).FullName;
}
