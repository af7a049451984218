// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// What a thread can give up of its own rights, and never get back: the way to more of them through exec (no_new_privs), and
/// every capability. Root stays the owner of root's files; it may no longer do what its number alone does not allow.
/// </summary>
internal static unsafe class Privileges
{
    private const int SetNoNewPrivileges = 38;
    private const int DropBounding = 24;
    private const int AmbientSet = 47;
    private const int ClearAmbient = 4;
    private const int SetDumpable = 4;

    /// <summary>Version 3 of the capabilities' header: two 32-bit words of each set.</summary>
    private const uint HeaderVersion = 0x20080522;

    /// <summary>Capabilities that kernels of today have, and room for some more: those that are not there are refused, which is as good.</summary>
    private const int MostCapabilities = 48;

    /// <summary>The calls that a thread makes.</summary>
    public static List<ThreadCall> Calls()
    {
        List<ThreadCall> calls = new(MostCapabilities + 4) { new ThreadCall(SandboxCalls.Prctl, SetNoNewPrivileges, 1, 0, 0, 0, 0) };

        // Kernels before 4.3 have no ambient set. The bounding set can be changed only by those who have CAP_SETPCAP; for the
        // others it is no_new_privs that keeps exec from giving anything.
        calls.Add(new ThreadCall(SandboxCalls.Prctl, AmbientSet, ClearAmbient, 0, 0, 0, 1));
        for (int capability = 0; capability < MostCapabilities; capability++)
            calls.Add(new ThreadCall(SandboxCalls.Prctl, DropBounding, capability, 0, 0, 0, 1));
        (nint header, nint none) = Empty();
        calls.Add(new ThreadCall(SandboxCalls.Capset, header, none, 0, 0, 0, 0));
        return calls;
    }

    /// <summary>Keeps others of the same user from attaching to this process and from reading its memory, and the kernel from writing a core of it.</summary>
    public static void HideMemory() => _ = SandboxCalls.Call(SandboxCalls.Prctl, SetDumpable, 0);

    /// <summary>struct __user_cap_header_struct for the caller, and two empty __user_cap_data_struct. A thread may read them late: they stay.</summary>
    private static (nint Header, nint Data) Empty()
    {
        uint* words = (uint*)NativeMemory.AllocZeroed(8, sizeof(uint));
        words[0] = HeaderVersion;
        return ((nint)words, (nint)(words + 2));
    }
}
