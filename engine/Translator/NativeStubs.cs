// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Engine.Translator;

/// <summary>Why translated code was left: <see cref="TranslatorScratch.ExitReason"/>.</summary>
internal enum TranslatedExit : uint
{
    /// <summary>Attention was asked for before anything ran.</summary>
    NotEntered,

    /// <summary>On to EIP, by a way that is not linked.</summary>
    Branch,

    /// <summary>On to EIP by a direct branch: <see cref="TranslatorScratch.ExitDetail"/> is the place to link.</summary>
    Link,

    /// <summary><see cref="TranslatorScratch.ExitDetail"/> is the number of an instruction to interpret.</summary>
    Interpret,

    /// <summary>A fault: the Fault fields say what.</summary>
    Fault,

    /// <summary>Interrupted at <see cref="TranslatorScratch.FaultRip"/>.</summary>
    Attention,

    /// <summary>The instruction at EIP is the interpreter's.</summary>
    InterpretHere,

    /// <summary>A system call found no stack where it was to be: EIP is after INT 0x80.</summary>
    SystemCallFault,

    /// <summary>int n: <see cref="TranslatorScratch.ExitDetail"/> is the vector, EIP is after it.</summary>
    SoftwareInterrupt,
}

// [T:110] Which register is what
/// <summary>
/// The way into translated code and out of it. While translated code runs:
/// <list type="bullet">
/// <item>%eax, %ecx, %edx, %ebx, %ebp, %esi, %edi are the guest's; the guest's %esp is %r8d, so that the host's stack pointer
/// is never the guest's to set and signals have a stack;</item>
/// <item>%r13 points to the <see cref="CpuState"/>, %r12 to the branch table, %r14 is the branch key (high half), %r15 the
/// window's base, which is also the base of %gs;</item>
/// <item>%r9, %r10, %r11 are scratch; the flags are the guest's (arithmetic and direction only).</item>
/// </list>
/// </summary>
internal sealed unsafe class NativeStubs
{
    /// <summary>Host registers of the guest's, in the guest's numbering.</summary>
    private static readonly AssemblerRegister32[] s_registers = [eax, ecx, edx, ebx, r8d, ebp, esi, edi];

    /// <summary>Bytes of the arena before the first block.</summary>
    private const int StubBytes = (int)Page.Size;

    /// <summary>What a callee has pushed and 8 more make the stack a multiple of 16, as the ABI has it.</summary>
    private const int StackAlignment = 8;

    // What the processor pushes for a trap that changes rings, and IRET pops.
    private const int FrameEip = 0;
    private const int FrameCs = 4;
    private const int FrameFlags = 8;
    private const int FrameEsp = 12;
    private const int FrameSs = 16;
    private const int FrameBytes = 20;

    public NativeStubs(CodeArena arena)
    {
        Assembler a = new(64);

        // All labels first: the emitter wants them before they are jumped to.
        Label enter = a.CreateLabel();
        Label entryStart = a.CreateLabel();
        Label entryEnd = a.CreateLabel();
        Label go = a.CreateLabel();
        Label exit = a.CreateLabel();
        Label fault = a.CreateLabel();
        Label attention = a.CreateLabel();
        Label abort = a.CreateLabel();
        Label leave = a.CreateLabel();
        Label noFloat = a.CreateLabel();
        Label systemCall = a.CreateLabel();
        Label systemCallEnd = a.CreateLabel();
        Label systemCallFault = a.CreateLabel();
        Label slowSystemCall = a.CreateLabel();
        Label interruptReturn = a.CreateLabel();
        Label interruptReturnEnd = a.CreateLabel();
        Label interruptReturnFault = a.CreateLabel();
        Label slowInterruptReturn = a.CreateLabel();

        // Containment: form 4 and, for the flags, form 7, up to the system call.
        // void enter(CpuState*)
        a.Label(ref enter);
        a.push(rbx);
        a.push(rbp);
        a.push(r12);
        a.push(r13);
        a.push(r14);
        a.push(r15);
        a.sub(rsp, StackAlignment);
        // [T:190+24] The door
        // From C# into the guest. The host's registers are saved, the window's base is loaded into %gs, and then the guest's flags
        // and registers; the last jump leads into its code. The exit is a few lines below. If somebody wants attention, a
        // signal that arrives in between finds the first steps marked as such, and the entry is called off.
        a.mov(r13, rdi);
        a.mov(State.HostStack.Bytes, rsp);
        a.mov(r12, State.BranchTable.Bytes);
        a.mov(r14, State.BranchKey.Bytes);
        a.mov(r15, State.WindowBase.Bytes);
        a.wrgsbase(r15);

        // From the look at the flag to the jump an interruption calls the entry off: nothing of the guest has happened yet.
        a.Label(ref entryStart);
        a.cmp(State.Attention.Dword, 0);
        a.jne(abort);
        a.cmp(State.FloatResume.Dword, 0);
        a.je(noFloat);
        a.fxrstor(State.FxState.Bytes);
        a.mov(State.FloatLive.Dword, 1);
        a.Label(ref noFloat);
        a.push(State.HostFlags.Qword);
        a.popfq();
        for (int i = 0; i < s_registers.Length; i++)
            a.mov(s_registers[i], State.Register((GeneralRegister)i).Dword);
        a.Label(ref go);
        a.jmp(State.EnterTarget.Qword);
        a.Label(ref entryEnd);
        a.nop();

        a.Label(ref fault);
        a.mov(State.ExitReason.Dword, (uint)TranslatedExit.Fault);
        a.jmp(exit);
        a.Label(ref attention);
        a.mov(State.ExitReason.Dword, (uint)TranslatedExit.Attention);
        a.mov(State.SavedR9.Bytes, r9);
        a.mov(State.SavedR10.Bytes, r10);

        a.Label(ref exit);

        // Interrupted between a push and a pop, the stack is not where it was.
        a.mov(rsp, State.HostStack.Bytes);
        for (int i = 0; i < s_registers.Length; i++)
            a.mov(State.Register((GeneralRegister)i).Dword, s_registers[i]);
        a.pushfq();
        a.pop(State.HostFlags.Qword);
        a.cld();
        a.mov(eax, State.FloatLive.Dword);
        a.mov(State.FloatWasLive.Dword, eax);
        a.test(eax, eax);
        a.je(leave);

        // The floating point registers are C#'s too: the guest's go home, and no exception of its may wait in them.
        a.fxsave(State.FxState.Bytes);
        a.fninit();
        a.ldmxcsr(State.HostMxcsr.Dword);
        a.mov(State.FloatLive.Dword, 0);
        a.jmp(leave);

        EmitSystemCall(a, exit, ref systemCall, ref systemCallFault);
        a.Label(ref systemCallEnd);
        a.nop();
        EmitInterruptReturn(a, exit, ref interruptReturn, ref interruptReturnFault);
        a.Label(ref interruptReturnEnd);
        a.nop();

        a.Label(ref slowSystemCall);
        a.mov(State.ExitDetail.Dword, Vectors.SystemCall);
        a.mov(State.ExitReason.Dword, (uint)TranslatedExit.SoftwareInterrupt);
        a.jmp(exit);
        a.Label(ref slowInterruptReturn);
        a.mov(State.ExitReason.Dword, (uint)TranslatedExit.InterpretHere);
        a.jmp(exit);

        a.Label(ref abort);
        a.mov(rsp, State.HostStack.Bytes);
        a.cld();
        a.mov(State.ExitReason.Dword, (uint)TranslatedExit.NotEntered);
        a.fninit();
        a.ldmxcsr(State.HostMxcsr.Dword);
        a.mov(State.FloatLive.Dword, 0);
        a.mov(State.FloatWasLive.Dword, 0);

        a.Label(ref leave);
        a.add(rsp, StackAlignment);
        a.pop(r15);
        a.pop(r14);
        a.pop(r13);
        a.pop(r12);
        a.pop(rbp);
        a.pop(rbx);
        a.ret();

        using MemoryStream stream = new();
        byte* place = arena.Allocate(StubBytes, Page.Size);
        AssemblerResult result = a.Assemble(new StreamCodeWriter(stream), (ulong)place, BlockEncoderOptions.ReturnNewInstructionOffsets);
        byte[] code = stream.ToArray();
        code.CopyTo(new Span<byte>(arena.ToWritable(place), StubBytes));
        Enter = (delegate* unmanaged<CpuState*, void>)result.GetLabelRIP(enter);
        Exit = (byte*)result.GetLabelRIP(exit);
        Region = new EmittedRegion
        {
            CodeStart = (ulong)(place + StubBytes),
            CodeEnd = (ulong)(arena.Executable + arena.Size),
            EntryStart = result.GetLabelRIP(entryStart),
            EntryEnd = result.GetLabelRIP(entryEnd),
            FaultExit = result.GetLabelRIP(fault),
            AttentionExit = result.GetLabelRIP(attention),
            EntryAbort = result.GetLabelRIP(abort),
        };
        SystemCall = result.GetLabelRIP(systemCall);
        SlowSystemCall = result.GetLabelRIP(slowSystemCall);
        SystemCallRegion = new EmittedRegion
        {
            CodeStart = SystemCall,
            CodeEnd = result.GetLabelRIP(systemCallEnd),
            FaultExit = result.GetLabelRIP(systemCallFault),
        };
        InterruptReturn = result.GetLabelRIP(interruptReturn);
        SlowInterruptReturn = result.GetLabelRIP(slowInterruptReturn);
        InterruptReturnRegion = new EmittedRegion
        {
            CodeStart = InterruptReturn,
            CodeEnd = result.GetLabelRIP(interruptReturnEnd),
            FaultExit = result.GetLabelRIP(interruptReturnFault),
        };
    }

    /// <summary>Ways for <see cref="TranslatorScratch.SystemCallEntry"/> and <see cref="TranslatorScratch.InterruptReturnEntry"/>.</summary>
    public ulong SystemCall { get; }

    /// <summary>The slow way.</summary>
    public ulong SlowSystemCall { get; }

    /// <summary>IRET to ring 3.</summary>
    public ulong InterruptReturn { get; }

    /// <summary>IRET by the interpreter.</summary>
    public ulong SlowInterruptReturn { get; }

    /// <summary>For the signal handlers.</summary>
    public EmittedRegion SystemCallRegion { get; }

    /// <summary>For the signal handlers.</summary>
    public EmittedRegion InterruptReturnRegion { get; }

    // [T:280+26] A system call, without anybody's help
    // What a program does most, and the one trap whose delivery is emitted: the frame of [H:210] is pushed, in a few stores, to
    // the stack that the kernel has named, with the flag that it believes in; the ring, the window and the branch key are changed;
    // and the kernel's handler runs. Until the first store nothing has changed, and after it nothing can fault. The hypervisor
    // never hears of it.
    /// <summary>
    /// INT 0x80 from ring 3, without leaving: what the processor does through a gate. EIP is stored already, after the
    /// instruction. Until the stack is written nothing has changed; from then on nothing faults. An interruption in between is
    /// not acted on: the tail that this goes to looks at the flag.
    /// </summary>
    private static void EmitSystemCall(Assembler a, Label exit, ref Label start, ref Label fault)
    {
        // Containment: form 5 (the stack and irq_enabled), form 7 (the flags), form 4 (all else).
        a.Label(ref start);
        a.pushfq();
        a.mov(r9, __[rsp]);
        a.mov(r10d, State.KernelStack.Dword);
        a.mov(r11, State.KernelWindowBase.Bytes);
        a.add(r11, r10);

        // EFLAGS as the guest sees them: IF is what it says itself. Read once; whatever it is, one bit of it is used.
        a.mov(r15, State.IrqEnabledAddress.Bytes);
        a.mov(r15d, __dword_ptr[r15]);
        a.and(r15d, (int)EFlags.Interrupt);
        a.and(r9d, ~(int)EFlags.Interrupt);
        a.or(r9d, r15d);
        a.or(r9d, State.ExtraFlags.Dword);
        a.mov(__dword_ptr[r11 - FrameBytes + FrameFlags], r9d);
        a.mov(r9d, State.Segment(SegmentName.Ss).Selector.Dword);
        a.mov(__dword_ptr[r11 - FrameBytes + FrameSs], r9d);
        a.mov(__dword_ptr[r11 - FrameBytes + FrameEsp], r8d);
        a.mov(r9d, State.Segment(SegmentName.Cs).Selector.Dword);
        a.mov(__dword_ptr[r11 - FrameBytes + FrameCs], r9d);
        a.mov(r9d, State.Eip.Dword);
        a.mov(__dword_ptr[r11 - FrameBytes + FrameEip], r9d);

        // An interrupt gate turns interrupts off, now that the frame has them as they were; a trap gate has another word here.
        a.mov(r15, State.MaskAddress.Bytes);
        a.mov(__dword_ptr[r15], 0);

        a.inc(State.SystemCalls.Qword);
        a.lea(r8d, __[r10 - FrameBytes]);
        CopySegment(a, State.Segment(SegmentName.Cs), State.KernelCs);
        CopySegment(a, State.Segment(SegmentName.Ss), State.KernelSs);
        a.mov(State.Cpl.Dword, Selectors.GuestRing);
        SwitchContext(a, State.KernelWindowBase, State.KernelBranchKey);
        a.popfq();
        a.jmp(State.SystemCallTail.Qword);

        a.Label(ref fault);
        a.mov(rsp, State.HostStack.Bytes);
        a.sub(rsp, sizeof(ulong));
        a.popfq();
        a.mov(State.ExitReason.Dword, (uint)TranslatedExit.SystemCallFault);
        a.jmp(exit);
    }

    // [T:290+22] iret, without anybody's help
    // And the way back, which is where this tour ends: the guest's frame is loaded word by word, each once, and compared with what
    // is ordinary (the selectors of the last time, no flags but those of arithmetic). If it is not ordinary, [I:250] does it. Then
    // the window is the program's again, its stack pointer is loaded, and the last jump leads to where it was interrupted.
    /// <summary>
    /// IRET from ring 1 to ring 3, if it is the ordinary one: the %cs and %ss of the last time, no flags but those that
    /// arithmetic sets, no data segment that ring 3 may not keep. EIP is stored, at the instruction.
    /// </summary>
    private static void EmitInterruptReturn(Assembler a, Label exit, ref Label start, ref Label fault)
    {
        const int unusual = (int)(EFlags.Trap | EFlags.NestedTask | EFlags.AlignmentCheck | EFlags.Identification | EFlags.Virtual8086);
        Label slow = a.CreateLabel();

        // Containment: form 5 (the frame), form 7 (the flags), form 4 (all else). Read once: each word of the frame is loaded once and
        // judged in the register that it is used from; of selectors the known ones are used, not the frame's.
        a.Label(ref start);
        a.pushfq();
        a.mov(r11d, r8d);
        a.add(r11, r15);
        a.mov(r9d, __dword_ptr[r11 + FrameCs]);
        a.movzx(r9d, r9w);
        a.cmp(r9d, State.UserCs.Selector.Dword);
        a.jne(slow);
        a.mov(r9d, __dword_ptr[r11 + FrameSs]);
        a.movzx(r9d, r9w);
        a.cmp(r9d, State.UserSs.Selector.Dword);
        a.jne(slow);
        a.mov(r10d, __dword_ptr[r11 + FrameFlags]);
        a.mov(r9d, r10d);
        a.and(r9d, unusual);
        a.cmp(r9d, State.ExtraFlags.Dword);
        a.jne(slow);
        foreach (SegmentName segment in (ReadOnlySpan<SegmentName>)[SegmentName.Es, SegmentName.Ds, SegmentName.Fs, SegmentName.Gs])
        {
            Label usable = a.CreateLabel();
            a.mov(r9d, State.Segment(segment).Attributes.Dword);
            a.test(r9d, r9d);
            a.jz(usable);
            a.not(r9d);
            a.test(r9d, SegmentLoad.DplMask);
            a.jnz(slow);
            a.Label(ref usable);
        }

        a.and(r10d, (int)(EFlags.Arithmetic | EFlags.Direction));
        a.or(r10d, (int)(EFlags.Fixed | EFlags.Interrupt));

        // The frame's first word may lie in a page of its own: what faults there must find its flags as they were.
        a.mov(r9d, __dword_ptr[r11 + FrameEip]);
        a.mov(__[rsp], r10);
        a.mov(r10d, r9d);
        a.mov(r8d, __dword_ptr[r11 + FrameEsp]);
        CopySegment(a, State.Segment(SegmentName.Cs), State.UserCs);
        CopySegment(a, State.Segment(SegmentName.Ss), State.UserSs);
        a.mov(State.Cpl.Dword, Selectors.UserRing);
        SwitchContext(a, State.UserWindowBase, State.UserBranchKey);
        a.popfq();
        a.jmp(State.InterruptReturnTail.Qword);

        a.Label(ref fault);
        a.mov(rsp, State.HostStack.Bytes);
        a.sub(rsp, sizeof(ulong));
        a.Label(ref slow);
        a.popfq();
        a.mov(State.ExitReason.Dword, (uint)TranslatedExit.InterpretHere);
        a.jmp(exit);
    }

    private static void CopySegment(Assembler a, State.SegmentPlace to, State.SegmentPlace from)
    {
        a.mov(r9, from.LowHalf.Bytes);
        a.mov(to.LowHalf.Bytes, r9);
        a.mov(r9, from.HighHalf.Bytes);
        a.mov(to.HighHalf.Bytes, r9);
    }

    private static void SwitchContext(Assembler a, State window, State key)
    {
        a.mov(r15, window.Bytes);
        a.wrgsbase(r15);
        a.mov(State.WindowBase.Bytes, r15);
        a.mov(r14, key.Bytes);
        a.mov(State.BranchKey.Bytes, r14);
    }

    /// <summary>Enters translated code at <see cref="TranslatorScratch.EnterTarget"/>; returns when it is left.</summary>
    public delegate* unmanaged<CpuState*, void> Enter { get; }

    /// <summary>Where translated code goes to leave, its reason stored.</summary>
    public byte* Exit { get; }

    /// <summary>For the signal handlers.</summary>
    public EmittedRegion Region { get; }
}
