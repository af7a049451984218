// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Tests.EngineParts;
using Lguest.Tests.EngineParts.Signals;
using Lguest.Tests.Fuzz;
using Lguest.Tests.Sandbox;
using Lguest.Tests.Tour;

namespace Lguest.Tests.Support;

/// <summary>
/// The test assembly as a program: what a test has to try in a process of its own, because it changes the process to its end or
/// ends it.
/// </summary>
internal static class ChildProgram
{
    /// <summary>A child that is not done by then hangs.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    /// <summary>The child's side.</summary>
    public static int Main(string[] arguments)
    {
        switch (arguments)
        {
            case [nameof(SignalChild), .. string[] rest]:
                return SignalChild.Run(rest);
            case [nameof(Prisoner), .. string[] rest]:
                return Prisoner.Run(rest);
            case [nameof(Scribbler), string path]:
                return Scribbler.Run(path);
            case [nameof(FuzzChild), .. string[] rest]:
                return FuzzChild.Run(rest);
            case ["fuzz", .. string[] rest]:
                return FuzzProgram.Run(rest);
            case ["tour"]:
                return TourProgram.Run();
            default:
                Console.Error.WriteLine("run the tests with make test");
                return 2;
        }
    }

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
        string host = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";
        ProcessStartInfo start = new(host, ["exec", typeof(ChildProgram).Assembly.Location, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // A child that is to die of a signal leaves no dump.
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        return Process.Start(start)!;
    }
}
