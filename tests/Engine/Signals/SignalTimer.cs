// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Tests.EngineParts.Signals;

/// <summary>
/// Sends a signal to the thread that makes it, again and again until it is disposed of. Of what comes while the thread does not run
/// it gets one: so each finds the thread somewhere else, however busy the machine.
/// </summary>
internal sealed unsafe partial class SignalTimer : IDisposable
{
    private const int Monotonic = 1;
    private const int NotifyThread = 4;
    private readonly nint _timer;

    /// <summary>Starts it.</summary>
    /// <param name="signal">Which signal.</param>
    /// <param name="value">What the handler is given with it.</param>
    /// <param name="nanoseconds">How often.</param>
    public SignalTimer(int signal, void* value, long nanoseconds)
    {
        // struct sigevent: value, signal, how, thread.
        int* notify = stackalloc int[16];
        new Span<int>(notify, 16).Clear();
        *(void**)notify = value;
        notify[2] = signal;
        notify[3] = NotifyThread;
        notify[4] = ForeignHandler.Thread;
        nint timer;
        if (timer_create(Monotonic, notify, &timer) != 0)
            throw new InvalidOperationException($"timer_create: {Marshal.GetLastPInvokeErrorMessage()}");
        _timer = timer;

        // struct itimerspec: interval and first time, in seconds and nanoseconds.
        long* every = stackalloc long[] { 0, nanoseconds, 0, nanoseconds };
        _ = timer_settime(_timer, 0, every, null);
    }

    public void Dispose() => _ = timer_delete(_timer);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int timer_create(int clock, int* notify, nint* timer);

    [LibraryImport("libc")]
    private static partial int timer_settime(nint timer, int flags, long* spec, long* old);

    [LibraryImport("libc")]
    private static partial int timer_delete(nint timer);
}
