// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using Xunit.Abstractions;
using Xunit.Sdk;

[assembly: TestFramework("Lguest.Tests.Support.WatchedTests", "Lguest.Tests")]

namespace Lguest.Tests.Support;

/// <summary>xunit's own framework, with somebody who looks on: see <see cref="RunWatch"/>.</summary>
public sealed class WatchedTests(IMessageSink diagnostics) : XunitTestFramework(diagnostics)
{
    /// <inheritdoc/>
    protected override ITestFrameworkExecutor CreateExecutor(AssemblyName assemblyName) =>
        new Executor(assemblyName, SourceInformationProvider, DiagnosticMessageSink);

    private sealed class Executor(AssemblyName name, ISourceInformationProvider sources, IMessageSink diagnostics)
        : XunitTestFrameworkExecutor(name, sources, diagnostics)
    {
        protected override async void RunTestCases(IEnumerable<IXunitTestCase> testCases, IMessageSink executionMessageSink, ITestFrameworkExecutionOptions executionOptions)
        {
            IXunitTestCase[] cases = [.. testCases];
            using RunWatch watch = new(executionMessageSink, DiagnosticMessageSink, cases.Length);
            using XunitTestAssemblyRunner runner = new(TestAssembly, cases, DiagnosticMessageSink, watch, executionOptions);
            await runner.RunAsync();
        }
    }
}
