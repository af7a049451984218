// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>Where the guest is when its translated code was left, and how it gets on from there.</summary>
public sealed unsafe partial class TranslatorCore
{
    /// <summary>What reaches into user memory does little else: so much that this weighs when it has to be interpreted.</summary>
    private const int UserAccessWeight = 16;

    /// <summary>What writes where code is may do so only when a page becomes another: a copy of a whole page, mostly.</summary>
    private const int CodeWriteWeight = 1;

    /// <summary>One instruction by the interpreter.</summary>
    /// <param name="number">Its number.</param>
    /// <param name="host">Where to go on in translated code, or null to look.</param>
    /// <param name="exit">Why the run is over.</param>
    /// <returns>Whether it is.</returns>
    private bool Interpret(uint number, out byte* host, out CpuExit exit)
    {
        InterpretedInstruction* record = _code.Interpreted[number];
        byte* next = record->Continue;
        uint nextEip = record->NextEip;
        uint drops = _code.Drops;
        ToLazyFlags();
        CodeMode before = _interpreter.Mode;
        uint taskSwitched = Cpu->Arch.TaskSwitched;
        host = null;
        if (_interpreter.StepOps(record->HasOps != 0 ? (MicroOp*)record->Ops : null, out exit))
            return true;
        if (next != null && Cpu->Arch.Eip == nextEip && drops == _code.Drops && _interpreter.Mode == before && taskSwitched == Cpu->Arch.TaskSwitched && ModeIsAsBefore())
            host = next;
        return false;
    }

    /// <summary>The instruction at an EIP, by the interpreter; on by looking.</summary>
    private bool InterpretAt(uint eip, out CpuExit exit)
    {
        ToLazyFlags();
        Cpu->Arch.Eip = eip;
        return _interpreter.Step(out exit);
    }

    /// <summary>
    /// The unit remembers where its last instruction was, in the host's code: that becomes the guest's address again before
    /// anything of the guest's can see it. (Data addresses need nothing: their low half is the guest's.) What has not changed since
    /// translated code was entered is the guest's already, and may well look like an address of the host's.
    /// </summary>
    private void HideHostAddresses()
    {
        if (!_code.TryFindByLowHalf(Cpu->Arch.Float.InstructionOffset, out uint eip))
            return;
        Cpu->Arch.Float.InstructionOffset = eip;
        Cpu->Arch.Float.InstructionSelector = (ushort)Cpu->Arch.Cs.Selector;
        Cpu->Arch.Float.DataSelector = (ushort)Cpu->Arch.Ds.Selector;
    }

    /// <summary>Translated code was interrupted somewhere: finds out where the guest is.</summary>
    private void Interrupted()
    {
        SideTable.Entry place = _code.PlaceOf(Cpu->Translator.FaultRip);
        switch (place.Kind)
        {
            case SideKind.GoingToR10WithEcxInR9:
                Cpu->Arch.Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->Translator.SavedR9;
                Cpu->Arch.Eip = (uint)Cpu->Translator.SavedR10;
                break;
            case SideKind.InstructionWithEcxInR9:
                Cpu->Arch.Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->Translator.SavedR9;
                Cpu->Arch.Eip = place.Eip;
                break;
            case SideKind.GoingToR10:
                Cpu->Arch.Eip = (uint)Cpu->Translator.SavedR10;
                break;
            case SideKind.GoingToWithEcxInR9:
                Cpu->Arch.Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->Translator.SavedR9;
                Cpu->Arch.Eip = place.Eip;
                break;
            default:
                Cpu->Arch.Eip = place.Eip;
                break;
        }
    }

    /// <summary>An instruction has faulted for the interpreter's sake, and may become the interpreter's.</summary>
    private void PreferInterpreter(uint eip, int weight)
    {
        if (_interpreter.TryFetch(eip, out uint physical, out _))
            _code.PreferInterpreter(physical, weight);
    }

    /// <summary>The interpreter goes ahead over pages that are new to ring 3.</summary>
    /// <returns>Whether there is something for the hypervisor to do.</returns>
    private bool RunOverNewPages(out CpuExit exit)
    {
        ToLazyFlags();
        AddressSpace space = _spaces.Current!;
        if (_newPages.Run(space, out exit))
            return true;
        if (_newPages.HasComeToRest(space, out uint page))
            _spaces.MapQuietly(page << Page.Shift);
        return false;
    }

    private bool HandleFault(out byte* host, out CpuExit exit)
    {
        SideTable.Entry place = _code.PlaceOf(Cpu->Translator.FaultRip);
        uint eip = place.Eip;
        Cpu->Arch.Eip = eip;
        host = null;
        exit = new CpuExit { Kind = ExitKind.Exception, InstructionEip = eip };

        // Misaligned for SSE, or through a segment that does not reach everywhere: the interpreter knows what it comes to.
        if (Cpu->Translator.FaultVector == ExceptionVector.GeneralProtection)
            return InterpretAt(eip, out exit);
        if (Cpu->Translator.FaultVector != ExceptionVector.PageFault)
        {
            exit.Vector = (byte)Cpu->Translator.FaultVector;
            return true;
        }

        ulong offset = Cpu->Translator.FaultAddress - Cpu->Translator.WindowBase;
        if (offset > uint.MaxValue)
        {
            // Over the edge of the window: an access that wraps around. The interpreter knows how.
            return InterpretAt(eip, out exit);
        }

        uint linear = (uint)offset;
        bool write = (Cpu->Translator.FaultError & 2) != 0;
        uint drops = _code.Drops;
        MapResult result = _spaces.TryMap(linear, write, out uint errorCode, out string? killReason);
        _missed[(int)result]++;
        switch (result)
        {
            case MapResult.Unknown:
            case MapResult.Mapped when drops != _code.Drops:
                return false;
            case MapResult.Mapped:
                // Begun anew: into the middle of a block, whose first floating point instruction has been passed.
                host = _code.HostOf(in place);
                Cpu->Translator.FloatResume = Cpu->Translator.FloatWasLive;
                return false;
            case MapResult.Fault:
                exit.Vector = ExceptionVector.PageFault;
                exit.ErrorCode = errorCode;
                exit.FaultAddress = linear;
                return true;
            case MapResult.Killed:
                exit.Kind = ExitKind.Killed;
                exit.Reason = killReason;
                return true;
            case MapResult.Code:
                PreferInterpreter(eip, CodeWriteWeight);
                return InterpretAt(eip, out exit);
            default:
                PreferInterpreter(eip, UserAccessWeight);
                return InterpretAt(eip, out exit);
        }
    }

    /// <summary>The kernel's stack for traps from ring 3 was missing in its window.</summary>
    private void MapKernelStack()
    {
        uint ring = Cpu->Arch.Cpl;
        uint top = Cpu->Translator.KernelStack;
        Cpu->Arch.Cpl = Selectors.GuestRing;
        _spaces.TryMap(top - 4, write: true, out _, out _);
        if (((top - 4) ^ (top - 20)) > Page.OffsetMask)
            _spaces.TryMap(top - 20, write: true, out _, out _);
        Cpu->Arch.Cpl = ring;
    }
}
