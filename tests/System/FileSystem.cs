// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace Lguest.Tests.WholeSystem;

/// <summary>File systems that guests have left.</summary>
internal static class FileSystem
{
    /// <summary>Has e2fsck look at one, where there is such a program; an error in it fails the test.</summary>
    public static void Check(string disk)
    {
        const string Checker = "/sbin/e2fsck";
        if (!File.Exists(Checker))
            return;
        using Process check = Process.Start(new ProcessStartInfo(Checker, ["-fn", disk]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = check.StandardOutput.ReadToEnd();
        check.WaitForExit();
        Assert.True(check.ExitCode == 0, output);
    }
}
