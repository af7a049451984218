// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Native;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts.Signals;

/// <summary>
/// A signal handler of somebody who knows nothing of the chain, as a library might install one: it has a fault of its own, which
/// it skips and counts, counts what is sent, and passes on the rest to whoever was there before it.
/// </summary>
internal sealed unsafe partial class ForeignHandler
{
    private const int ActionBytes = 152;
    private const int FlagsOffset = 136;
    private const int SigInfo = 4;
    private const int OnStack = 0x0800_0000;
    private readonly CodeArena _arena = new(4096);
    private readonly int _signal;
    private readonly ulong* _counts = (ulong*)NativeMemory.AllocZeroed(4, sizeof(ulong));
    private readonly delegate* unmanaged<void> _fault;

    /// <summary>Installs it.</summary>
    /// <param name="signal">For which signal.</param>
    public ForeignHandler(int signal)
    {
        const int faultBytes = 3;
        _signal = signal;
        Assembler fault = new(64);
        fault.push(rbp);
        fault.mov(rbp, 1UL << 63);
        Label here = fault.CreateLabel();
        fault.Label(ref here);
        fault.mov(eax, __dword_ptr[rbp]); // 8B 45 00: a bad stack segment, SIGBUS without an address
        fault.pop(rbp);
        fault.ret();
        using MemoryStream stream = new();
        AssemblerResult result = fault.Assemble(new StreamCodeWriter(stream), 0, BlockEncoderOptions.ReturnNewInstructionOffsets);
        byte* code = _arena.Append(stream.ToArray());
        _fault = (delegate* unmanaged<void>)code;
        ulong place = (ulong)code + result.GetLabelRIP(here);

        byte* action = stackalloc byte[ActionBytes];
        Change(signal, null, action);
        Assembler a = new(64);
        Label notMine = a.CreateLabel();
        Label sent = a.CreateLabel();
        a.cmp(__dword_ptr[rsi + SignalFrame.Code], 0);
        a.jle(sent);
        a.mov(rax, place);
        a.cmp(rax, __[rdx + SignalFrame.Rip]);
        a.jne(notMine);
        a.add(__qword_ptr[rdx + SignalFrame.Rip], faultBytes);
        a.mov(rax, (ulong)_counts);
        a.@lock.inc(__qword_ptr[rax]);
        a.ret();
        a.Label(ref sent);
        a.mov(rax, (ulong)_counts);
        a.@lock.inc(__qword_ptr[rax + 8]);
        a.ret();
        a.Label(ref notMine);
        a.mov(rax, *(ulong*)action);
        a.jmp(rax);
        stream.SetLength(0);
        a.Assemble(new StreamCodeWriter(stream), 0);
        *(byte**)action = _arena.Append(stream.ToArray());
        *(int*)(action + FlagsOffset) |= SigInfo | OnStack;
        Change(signal, action, null);
    }

    /// <summary>Faults of its own that it saw.</summary>
    public ulong Faults => Volatile.Read(ref _counts[0]);

    /// <summary>Signals that it saw sent.</summary>
    public ulong Sent => Volatile.Read(ref _counts[1]);

    /// <summary>Makes a fault that it knows.</summary>
    public void Fault() => _fault();

    /// <summary>Sends its signal to the calling thread.</summary>
    public void Send() => Send(gettid());

    /// <summary>Sends its signal to a thread of this process.</summary>
    public void Send(int thread) => Send(thread, _signal);

    /// <summary>Sends a signal to a thread of this process.</summary>
    public static void Send(int thread, int signal) => _ = tgkill(getpid(), thread, signal);

    /// <summary>Sends a signal to the calling thread.</summary>
    public static void SendToSelf(int signal) => _ = tgkill(getpid(), gettid(), signal);

    /// <summary>Number of the calling thread.</summary>
    public static int Thread => gettid();

    /// <summary>Puts SIG_DFL (0) or SIG_IGN (1) in place.</summary>
    public static void Reset(int signal, nuint handler)
    {
        byte* action = stackalloc byte[ActionBytes];
        new Span<byte>(action, ActionBytes).Clear();
        *(nuint*)action = handler;
        Change(signal, action, null);
    }

    private static void Change(int signal, byte* action, byte* old)
    {
        if (sigaction(signal, action, old) != 0)
            throw new InvalidOperationException($"sigaction {signal}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaction(int signal, byte* action, byte* old);

    [LibraryImport("libc")]
    private static partial int getpid();

    [LibraryImport("libc")]
    private static partial int gettid();

    [LibraryImport("libc")]
    private static partial int tgkill(int process, int thread, int signal);
}
