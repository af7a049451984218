// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Lguest.Tests.Support;

/// <summary>
/// The tests as a program (Program.cs; natively compiled, a program of its own): what a test has to try in a process of its own,
/// because it changes the process to its end or ends it.
/// </summary>
internal static class ChildProgram
{
    /// <summary>A child that is not done by then hangs.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    /// <summary>Runs it to its end.</summary>
    public static ProcessResult Run(params string[] arguments)
    {
        using Process process = Start(arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardInput.Close();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill();
            process.WaitForExit();
            throw new TimeoutException($"{string.Join(' ', arguments)} hangs; its output: {output.Result}\n{error.Result}");
        }

        return new ProcessResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Starts it, with pipes all around.</summary>
    public static Process Start(params string[] arguments)
    {
        string self = Environment.ProcessPath!;
        string host = Path.GetFileNameWithoutExtension(self) == "dotnet" ? self : "dotnet";
        ProcessStartInfo start = RuntimeFeature.IsDynamicCodeSupported
            ? new(host, ["exec", Path.Combine(AppContext.BaseDirectory, "Lguest.Tests.dll"), .. arguments])
            : new(self, arguments);
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;

        // A child that is to die of a signal leaves no dump.
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        return Process.Start(start)!;
    }
}
