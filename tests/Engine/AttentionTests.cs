// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Runtime.InteropServices;
using Lguest.Engine;
using Lguest.Engine.Cpu;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Native;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.EngineParts.Signals;
using Lguest.Tests.Support;
using Tmds.Linux;
using static Iced.Intel.AssemblerRegisters;
using static Tmds.Linux.LibC;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// A program that is interrupted everywhere, thousands of times a second, counts as it does when nobody disturbs it: at every
/// kind of end that a block has, in the middle of glue, in system calls and on the way back, while other engines come and go.
/// </summary>
public sealed unsafe class AttentionTests
{
    private const uint Rounds = 2_000;
    private const long Interruptions = 3_000;
    private const uint SystemCall = 0x80;
    private const uint Counter = GuestPlan.Scratch;
    private const uint Table = GuestPlan.Scratch + 0x100;
    private const uint Buffer = GuestPlan.Scratch + 0x200;
    private const uint Far = GuestPlan.Scratch + Page.Size;
    private const uint Crossing = GuestPlan.Scratch + (2 * Page.Size) - 3;

    [TheoryNeeding(Need.Translator)]
    [InlineData(true)]
    [InlineData(false)]
    public void AnInterruptedProgramCountsRight(bool inRing3)
    {
        using TinyGuest quiet = Start(EngineKind.Interpreter, inRing3);
        using TinyGuest guest = Start(EngineKind.Translator, inRing3);
        TranslatorCore core = (TranslatorCore)guest.Guest.Core;
        core.InterpretsNewPages = false;
        bool over = false;
        Thread others = new(() =>
        {
            while (!Volatile.Read(ref over))
                SignalHandlersTests.Arrive().Dispose();
        });
        Thread asking = new(() =>
        {
            while (!Volatile.Read(ref over))
            {
                core.RequestAttention();
                Thread.Sleep(1);
            }
        });
        others.Start();
        asking.Start();
        CpuState* nobody = (CpuState*)NativeMemory.AllocZeroed(CpuState.ByteSize);
        try
        {
            // With the flag, as whoever wants attention does, and without, as a signal may arrive when it is long over.
            using SignalTimer timer = new(SignalHandlers.AttentionSignal, core.Cpu, 70_000);
            using SignalTimer late = new(SignalHandlers.AttentionSignal, nobody, 43_000);
            while (core.Interruptions < Interruptions)
                Assert.Equal(quiet.Next(), guest.Next());
        }
        finally
        {
            Volatile.Write(ref over, true);
            others.Join();
            asking.Join();
            NativeMemory.Free(nobody);
        }
    }

    /// <summary>Whoever asks again and again, of a thread that has no time to answer, leaves other processes their share of signals.</summary>
    [FactNeeding(Need.Translator)]
    public void RequestsThatNobodyAnswersDoNotQueue()
    {
        const int requests = 5_000;
        using TinyGuest guest = Start(EngineKind.Translator, inRing3: false);
        ExecutionCore core = guest.Guest.Core;
        sigset_t mask;
        sigset_t before;
        _ = sigemptyset(&mask);
        _ = sigaddset(&mask, SignalHandlers.AttentionSignal);
        _ = sigprocmask(SIG_BLOCK, &mask, &before);
        try
        {
            int queued = Queued();
            for (int i = 0; i < requests; i++)
                core.RequestAttention();
            Assert.InRange(Queued() - queued, int.MinValue, requests / 2);
        }
        finally
        {
            _ = sigprocmask(SIG_SETMASK, &before, null);
        }

        // SigQ: 12/96365: the signals that wait for this user's processes, and how many may.
        static int Queued() => int.Parse(
            File.ReadLines("/proc/self/status").Single(static line => line.StartsWith("SigQ:", StringComparison.Ordinal))[5..].Split('/')[0], CultureInfo.InvariantCulture);
    }

    private static TinyGuest Start(EngineKind kind, bool inRing3) => new(
        kind,
        g =>
        {
            g.BootWithRings();
            g.Gate(SystemCall, "call", interrupt: false, dpl: 3);
            if (inRing3)
                g.ToRing3("start");
            Program(g, inRing3);
            g.Mark("call");
            g.Asm.test(eax, eax);
            g.Asm.jnz(g.Here("report"));
            g.Asm.inc(__dword_ptr[GuestPlan.Virtual(Counter)]);
            g.Asm.iretd();
            g.Mark("report");
            g.Report(ebp);
            g.Asm.iretd();
        },
        prepare: memory =>
        {
            // sub ebp, ecx; ret, in another page; rol ebp, 7; add ebp, imm32 across pages; ret
            new byte[] { 0x29, 0xCD, 0xC3 }.CopyTo(memory.Write(Far, 3));
            new byte[] { 0xC1, 0xC5, 0x07, 0x81, 0xC5, 1, 2, 3, 4, 0xC3 }.CopyTo(memory.Write(Crossing - 2, 10));
            for (uint i = 0; i < 256; i++)
                memory.Write(Table + i, 1)[0] = (byte)(i * 7);
        });

    /// <summary>%ebp is the sum of it all, %edi counts rounds; %ecx, which glue borrows, is always in use.</summary>
    private static void Program(GuestProgram g, bool inRing3)
    {
        g.Mark("start");
        g.Asm.xor(ebp, ebp);
        g.Asm.fninit();
        g.Asm.fldz();
        g.Mark("more");
        g.Asm.mov(edi, Rounds);
        g.Mark("round");
        g.Asm.mov(ecx, edi);

        // Direct, conditional both ways, indirect within the page.
        g.Asm.jmp(g.Here("direct"));
        g.Mark("direct");
        g.Asm.lea(ebp, __[ebp + ecx]);
        g.Asm.test(cl, 1);
        g.Asm.jz(g.Here("even"));
        g.Asm.xor(ebp, 0x1234_5678);
        g.Mark("even");
        g.Asm.mov(eax, g.Address("indirect"));
        g.Asm.jmp(eax);
        g.Mark("indirect");

        // Into other pages and back, one of them over an instruction that crosses.
        g.Asm.mov(eax, GuestPlan.Virtual(Far));
        g.Asm.call(eax);
        g.Asm.call(g.Here("near"));
        g.Asm.call(GuestPlan.Virtual(Far));
        g.Asm.mov(eax, GuestPlan.Virtual(Crossing) - 2);
        g.Asm.call(eax);
        g.Asm.add(ebp, ecx);

        // Loops and strings that count in %ecx.
        g.Asm.push(ecx);
        g.Asm.mov(ecx, 3);
        g.Mark("loop");
        g.Asm.add(ebp, ecx);
        g.Asm.loop(g.Here("loop"));
        g.Asm.jecxz(g.Here("zero"));
        g.Asm.ud2();
        g.Mark("zero");
        g.Asm.push(edi);
        g.Asm.mov(edi, GuestPlan.Virtual(Buffer));
        g.Asm.mov(ecx, 5);
        g.Asm.mov(eax, ebp);
        g.Asm.rep.stosd();
        g.Asm.pop(edi);
        g.Asm.pop(ecx);
        g.Asm.add(ebp, __[GuestPlan.Virtual(Buffer) + 16]);

        // Flags and segments on the stack, an instruction that is the interpreter's, the floating point unit.
        g.Asm.stc();
        g.Asm.pushfd();
        g.Asm.push(ds);
        g.Asm.push(es);
        g.Asm.clc();
        g.Asm.pop(es);
        g.Asm.pop(ds);
        g.Asm.popfd();
        g.Asm.adc(ebp, 0);
        g.Asm.mov(ebx, GuestPlan.Virtual(Table));
        g.Asm.mov(eax, ecx);
        g.Asm.and(eax, 0xFF);
        g.Asm.xlatb();
        g.Asm.add(ebp, eax);
        g.Asm.fld1();
        g.Asm.faddp(st1, st0);
        g.Asm.mov(eax, 0);
        if (inRing3)
            g.Asm.@int((byte)SystemCall);
        g.Asm.dec(edi);
        g.Asm.jnz(g.Here("round"));
        g.Asm.fist(__dword_ptr[GuestPlan.Virtual(Buffer)]);
        g.Asm.add(ebp, __[GuestPlan.Virtual(Buffer)]);
        g.Asm.add(ebp, __[GuestPlan.Virtual(Counter)]);
        g.Asm.mov(eax, 1);
        if (inRing3)
            g.Asm.@int((byte)SystemCall);
        else
            g.Report(ebp);
        g.Asm.jmp(g.Here("more"));
        g.Mark("near");
        g.Asm.xor(ebp, ecx);
        g.Asm.ret();
    }
}
