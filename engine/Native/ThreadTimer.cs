// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Native;

/// <summary>
/// A one-shot timer of the monotonic clock that sends <see cref="SignalHandlers.AttentionSignal"/> to one thread, and a way to
/// send it by hand: what interrupts emitted code.
/// </summary>
internal sealed unsafe partial class ThreadTimer : IDisposable
{
    private const int ClockMonotonic = 1;
    private const int NotifyThread = 4;
    private const int TgKillCall = 234;
    private readonly nint _timer;
    private readonly int _process;
    private readonly int _thread;
    private bool _disposed;

    /// <summary>Makes a timer for the calling thread.</summary>
    /// <param name="state">Whose attention flag it sets.</param>
    public ThreadTimer(CpuState* state)
    {
        _process = getpid();
        _thread = (int)(long)syscall((int)SignalChain.GetTidCall);
        SigEvent notify = new() { Value = (nint)state, Signal = SignalHandlers.AttentionSignal, Notify = NotifyThread, Thread = _thread };
        nint timer;
        if (timer_create(ClockMonotonic, &notify, &timer) != 0)
            throw new Win32Exception(errno, $"cannot make a timer: {ProcessLimits.Words(errno)}");
        _timer = timer;
    }

    /// <summary>Arms it; a time that has come interrupts at once.</summary>
    /// <param name="nanoseconds">From now; negative: disarm.</param>
    public void Arm(long nanoseconds)
    {
        long time = nanoseconds < 0 ? 0 : Math.Max(1, nanoseconds);
        TimerSpec spec = new() { Seconds = time / 1_000_000_000, Nanoseconds = time % 1_000_000_000 };
        _ = timer_settime(_timer, 0, &spec, null);
    }

    /// <summary>Interrupts the thread now. Any thread may ask.</summary>
    public void Interrupt()
    {
        if (!_disposed)
            _ = syscall(TgKillCall, _process, _thread, SignalHandlers.AttentionSignal);
    }

    public void Dispose()
    {
        _disposed = true;
        _ = timer_delete(_timer);
    }

    // Tmds.LibC has no POSIX timers.
    [LibraryImport("libc", SetLastError = true)]
    private static partial int timer_create(int clock, SigEvent* notify, nint* timer);

    // Armed at each way into the guest: a system call that never waits, without the cost of telling the collector.
    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial int timer_settime(nint timer, int flags, TimerSpec* spec, TimerSpec* old);

    [LibraryImport("libc")]
    private static partial int timer_delete(nint timer);

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct SigEvent
    {
        public nint Value;
        public int Signal;
        public int Notify;
        public int Thread;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimerSpec
    {
        public long IntervalSeconds;
        public long IntervalNanoseconds;
        public long Seconds;
        public long Nanoseconds;
    }
}
