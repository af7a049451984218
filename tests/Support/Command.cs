// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace Lguest.Tests.Support;

/// <summary>Runs a program of the host to its end.</summary>
internal static class Command
{
    /// <summary>No such program may take longer: something hangs.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    /// <summary>Runs it, with what <c>make test</c> sets for its own taken away.</summary>
    /// <param name="program">Its path, or its name on the path.</param>
    /// <param name="arguments">Its command line.</param>
    /// <param name="folder">The folder that it runs in.</param>
    /// <param name="input">What comes through its standard input, before that ends.</param>
    /// <param name="variables">What its environment has beside.</param>
    /// <exception cref="TimeoutException">It hangs, and was killed.</exception>
    public static ProcessResult Run(string program, string[] arguments, string folder, string input = "", params (string Name, string Value)[] variables)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string name in new[] { "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS" })
            start.Environment.Remove(name);
        foreach ((string name, string value) in variables)
            start.Environment[name] = value;

        using Process process = Process.Start(start)!;
        return LauncherProcess.ToEnd(process, $"{program} {string.Join(' ', arguments)}", input, s_patience);
    }
}
