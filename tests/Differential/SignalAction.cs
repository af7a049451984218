// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Tests.Differential;

/// <summary>sigaction, without the runtime's help.</summary>
internal static unsafe partial class SignalAction
{
    public const int Illegal = 4;
    public const int Trap = 5;
    public const int Bus = 7;
    public const int FloatingPoint = 8;
    public const int Segmentation = 11;

    private const int StructBytes = 152;
    private const int FlagsOffset = 136;
    private const int SigInfo = 4;
    private const int OnStack = 0x0800_0000;

    /// <summary>Puts a handler in place of the runtime's.</summary>
    /// <param name="signal">The signal.</param>
    /// <param name="handler">Machine code: handler(signal, siginfo_t*, ucontext_t*).</param>
    /// <returns>The handler that was there.</returns>
    public static nuint Replace(int signal, void* handler)
    {
        byte* action = stackalloc byte[StructBytes];
        if (sigaction(signal, null, action) != 0)
            throw new InvalidOperationException($"sigaction {signal}: {Marshal.GetLastPInvokeErrorMessage()}");
        nuint old = *(nuint*)action;
        *(void**)action = handler;
        *(int*)(action + FlagsOffset) |= SigInfo | OnStack;
        if (sigaction(signal, action, null) != 0)
            throw new InvalidOperationException($"sigaction {signal}: {Marshal.GetLastPInvokeErrorMessage()}");
        return old;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaction(int signal, void* action, void* old);
}
