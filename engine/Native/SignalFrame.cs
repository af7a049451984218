// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Native;

/// <summary>
/// What a signal handler is given on x86-64 Linux: handler(int signal, siginfo_t*, ucontext_t*). Byte offsets in the two
/// structures, for emitted handlers (siginfo_t: include/uapi/asm-generic/siginfo.h; ucontext_t: gregs start at 40, in the order
/// of sys/ucontext.h).
/// </summary>
internal static class SignalFrame
{
    /// <summary>si_code: positive when the kernel raised the signal for a fault, at most 0 when somebody sent it.</summary>
    public const int Code = 8;

    /// <summary>si_addr of a fault: 0 when the kernel knows none.</summary>
    public const int Address = 16;

    /// <summary>si_value of a timer's signal.</summary>
    public const int Value = 24;

    /// <summary>BUS_ADRERR in si_code: no page can be had at the address.</summary>
    public const int BusAddressError = 2;

    /// <summary>SI_TIMER in si_code.</summary>
    public const int TimerCode = -2;

    /// <summary>%r13 of the interrupted code.</summary>
    public const int R13 = 40 + (5 * 8);

    /// <summary>%rip.</summary>
    public const int Rip = 40 + (16 * 8);

    /// <summary>The processor's error code.</summary>
    public const int ErrorCode = 40 + (19 * 8);

    /// <summary>The processor's vector.</summary>
    public const int Vector = 40 + (20 * 8);

    /// <summary>%cr2: the address of a page fault.</summary>
    public const int Cr2 = 40 + (22 * 8);
}
