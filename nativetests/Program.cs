// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.EngineParts;
using Lguest.Tests.EngineParts.Signals;

namespace Lguest.NativeTests;

/// <summary>
/// The engine's suites as a native program. One process looks on (<see cref="Supervisor"/>) while another one runs the tests
/// (<see cref="CaseRunner"/>), so that a test that ends its process is one that failed.
/// </summary>
internal static class Program
{
    private const string Run = "run";

    /// <summary>Runs tests, or is the child of one.</summary>
    public static int Main(string[] arguments)
    {
        switch (arguments)
        {
            case [nameof(SignalChild), .. string[] rest]:
                return SignalChild.Run(rest);
            case [nameof(Scribbler), string path]:
                return Scribbler.Run(path);
            case [Run]:
                CaseRunner.Run();
                return 0;
            case ["results", string results]:
                return new Supervisor(results, [Run]).RunAll(TestFilter.All);
            case ["results", string results, "filter", string text]:
                if (TestFilter.Parse(text) is { } filter)
                    return new Supervisor(results, [Run]).RunAll(filter);
                Console.WriteLine("native tests: none, since the filter has more than FullyQualifiedName~TEXT in it");
                return 0;
            default:
                Console.Error.WriteLine("run the tests with make test");
                return 2;
        }
    }
}
