// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Tests.Differential;

/// <summary>
/// Where a thread's signal handlers run while its stack pointer is a snippet's. CoreCLR gives each thread such a stack; a native
/// program's threads have none.
/// </summary>
internal static unsafe partial class AlternateStack
{
    private const int Disabled = 2;
    private const int Bytes = 64 << 10;
    private const int ActionBytes = 152;
    private const int FlagsOffset = 136;
    private const int OnStack = 0x0800_0000;

    [ThreadStatic]
    private static bool s_there;

    /// <summary>Gives the calling thread one, if it has none.</summary>
    public static void Ensure()
    {
        if (s_there)
            return;
        Description stack;
        if (sigaltstack(null, &stack) == 0 && (stack.Flags & Disabled) != 0)
        {
            // It stays the kernel's to use as long as the thread lives: a few threads of a test run.
            stack = new Description { Stack = NativeMemory.Alloc(Bytes), Size = Bytes };
            if (sigaltstack(&stack, null) != 0)
                throw new InvalidOperationException($"sigaltstack: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        s_there = true;
    }

    /// <summary>Lets the handlers that there are for some signals run on it.</summary>
    public static void UseFor(params ReadOnlySpan<int> signals)
    {
        byte* action = stackalloc byte[ActionBytes];
        foreach (int signal in signals)
        {
            if (sigaction(signal, null, action) != 0)
                throw new InvalidOperationException($"sigaction {signal}: {Marshal.GetLastPInvokeErrorMessage()}");
            *(int*)(action + FlagsOffset) |= OnStack;
            _ = sigaction(signal, action, null);
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaction(int signal, byte* action, byte* old);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaltstack(Description* stack, Description* old);

    private struct Description
    {
        public void* Stack;
        public int Flags;
        public nuint Size;
    }
}
