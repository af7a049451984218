// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Native;

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
    /// <param name="old">Where the handler that was there is noted, before the new one may need it: any thread may fault at any time.</param>
    public static void Replace(int signal, void* handler, nuint* old)
    {
        // Translators of other tests put themselves in front of the handler that is there, too.
        using Lock.Scope alone = SignalHandlers.Changing.EnterScope();
        byte* action = stackalloc byte[StructBytes];
        if (sigaction(signal, null, action) != 0)
            throw new InvalidOperationException($"sigaction {signal}: {Marshal.GetLastPInvokeErrorMessage()}");
        *old = *(nuint*)action;
        *(void**)action = handler;
        *(int*)(action + FlagsOffset) |= SigInfo | OnStack;
        if (sigaction(signal, action, null) != 0)
            throw new InvalidOperationException($"sigaction {signal}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaction(int signal, void* action, void* old);
}
