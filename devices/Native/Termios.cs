// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Devices.Native;

/// <summary>termios(3), which Mono.Posix leaves out, as 64-bit glibc and musl lay it out on Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe partial struct Termios
{
    public const uint Brkint = 0x2;
    public const uint Istrip = 0x20;
    public const uint Inlcr = 0x40;
    public const uint Igncr = 0x80;
    public const uint Icrnl = 0x100;
    public const uint Ixon = 0x400;

    public const uint Isig = 0x1;
    public const uint Icanon = 0x2;
    public const uint Echo = 0x8;
    public const uint Iexten = 0x8000;

    public const int Vtime = 5;
    public const int Vmin = 6;

    private const int Now = 0;
    private const int SignalBlock = 0;
    private const int SignalSetMask = 2;
    private const ulong SigttouMask = 1UL << (22 - 1);

    public uint Input;
    public uint Output;
    public uint Control;
    public uint Local;
    public byte Line;
    public fixed byte ControlCharacters[32];
    public uint InputSpeed;
    public uint OutputSpeed;

    /// <summary>The settings of a terminal; false when the descriptor is not one.</summary>
    public static bool TryGet(int fd, out Termios settings)
    {
        fixed (Termios* target = &settings)
            return tcgetattr(fd, target) == 0;
    }

    /// <summary>Sets a terminal.</summary>
    /// <param name="fd">The terminal.</param>
    /// <param name="evenInBackground">
    /// Do it even if another job is in the terminal's foreground. Without this the system stops whoever tries (SIGTTOU), which
    /// is right for somebody who starts, and wrong for somebody who leaves and cleans up.
    /// </param>
    public void Set(int fd, bool evenInBackground)
    {
        ulong* mask = stackalloc ulong[16];
        ulong* before = stackalloc ulong[16];
        new Span<ulong>(mask, 16).Clear();
        mask[0] = SigttouMask;
        if (evenInBackground)
            _ = pthread_sigmask(SignalBlock, mask, before);
        fixed (Termios* source = &this)
        {
            const int EINTR = 4;
            while (tcsetattr(fd, Now, source) != 0 && Marshal.GetLastPInvokeError() == EINTR)
            {
            }
        }

        if (evenInBackground)
            _ = pthread_sigmask(SignalSetMask, before, null);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcgetattr(int fd, Termios* settings);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcsetattr(int fd, int when, Termios* settings);

    [LibraryImport("libc")]
    private static partial int pthread_sigmask(int how, ulong* set, ulong* previous);
}
