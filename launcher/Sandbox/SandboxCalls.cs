// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// System calls that no library of ours knows by name, made by number (x86-64 Linux), and some that one knows: each of those costs
/// half a millisecond at the first call, since the runtime has to make a stub for it.
/// </summary>
internal static unsafe partial class SandboxCalls
{
    public const int Prctl = 157;
    public const int Capset = 126;
    public const int Seccomp = 317;
    public const int LandlockCreateRuleset = 444;
    public const int LandlockAddRule = 445;
    public const int LandlockRestrictSelf = 446;

    public const int EPERM = 1;
    public const int ESRCH = 3;
    public const int EINVAL = 22;
    public const int ENOSYS = 38;

    public const int ProtRead = 1;
    public const int ProtWrite = 2;
    public const int ProtExec = 4;
    public const int MapPrivate = 2;
    public const int MapAnonymous = 0x20;

    /// <summary>Makes one.</summary>
    /// <returns>What the kernel answers: negative error numbers are errors.</returns>
    public static long Call(int number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0)
    {
        nint result = syscall(number, a, b, c, d, e);
        return result == -1 ? -Marshal.GetLastPInvokeError() : result;
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int sigaction(int signal, byte* action, byte* old);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int tgkill(int process, int thread, int signal);

    [LibraryImport("libc", SetLastError = true)]
    public static partial byte* mmap(void* address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int mprotect(void* address, nuint length, int protection);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int unlink(string path);

    // Mono.Posix does not know O_PATH.
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e);
}
