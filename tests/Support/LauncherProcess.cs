// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace Lguest.Tests.Support;

/// <summary>How a launcher ended.</summary>
/// <param name="Status">Exit status.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
public sealed record ProcessResult(int Status, string Output, string Error);

/// <summary>Runs out/lguest as a user would, with pipes.</summary>
public static class LauncherProcess
{
    /// <summary>No test's guest may take longer: something hangs.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    /// <summary>Runs it to its end, with no input.</summary>
    public static ProcessResult Run(params string[] arguments) => Run(string.Empty, arguments);

    /// <summary>Runs it to its end.</summary>
    /// <param name="input">What comes through its standard input, before that ends.</param>
    /// <param name="arguments">Its command line.</param>
    public static ProcessResult Run(string input, string[] arguments)
    {
        using Process process = Start(arguments);
        return ToEnd(process, $"lguest {string.Join(' ', arguments)}", input, Patience);
    }

    /// <summary>Waits for a process that was started with pipes all around, and hears what it says.</summary>
    /// <param name="process">It; killed, with all that it started, when it hangs.</param>
    /// <param name="what">Its command line, for the message.</param>
    /// <param name="input">What comes through its standard input, before that ends.</param>
    /// <param name="patience">It hangs when it takes longer.</param>
    /// <exception cref="TimeoutException">It hangs.</exception>
    internal static ProcessResult ToEnd(Process process, string what, string input, TimeSpan patience)
    {
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without listening: its status will say why.
        }

        if (!process.WaitForExit(patience))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            throw new TimeoutException($"{what} hangs; its output: {output.Result}\n{error.Result}");
        }

        return new ProcessResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Starts it, with pipes all around.</summary>
    public static Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo(Needs.LauncherPath, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;
}
