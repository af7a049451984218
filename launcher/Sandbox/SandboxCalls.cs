// SPDX-License-Identifier: GPL-2.0-or-later
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Sandbox;

/// <summary>System calls that no library of ours knows by name, made by number (x86-64 Linux).</summary>
internal static unsafe class SandboxCalls
{
    public const int Prctl = 157;
    public const int Capset = 126;
    public const int TgKill = 234;
    public const int Seccomp = 317;
    public const int LandlockCreateRuleset = 444;
    public const int LandlockAddRule = 445;
    public const int LandlockRestrictSelf = 446;

    /// <summary>Makes one.</summary>
    /// <returns>What the kernel answers: negative error numbers are errors.</returns>
    public static long Call(int number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0)
    {
        long result = (Tmds.Linux.ssize_t)syscall(number, (void*)a, (void*)b, (void*)c, (void*)d, (void*)e);
        return result == -1 ? -errno : result;
    }
}
