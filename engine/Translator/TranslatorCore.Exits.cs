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
        uint taskSwitched = Cpu->TaskSwitched;
        host = null;
        if (_interpreter.StepOps(record->HasOps != 0 ? (MicroOp*)record->Ops : null, out exit))
            return true;
        if (next != null && Cpu->Eip == nextEip && drops == _code.Drops && _interpreter.Mode == before && taskSwitched == Cpu->TaskSwitched && ModeIsAsBefore())
            host = next;
        return false;
    }

    /// <summary>The instruction at an EIP, by the interpreter; on by looking.</summary>
    private bool InterpretAt(uint eip, out CpuExit exit)
    {
        ToLazyFlags();
        Cpu->Eip = eip;
        return _interpreter.Step(out exit);
    }

    /// <summary>
    /// The unit remembers where its last instruction was, in the host's code: that becomes the guest's address again before
    /// anything of the guest's can see it. (Data addresses need nothing: their low half is the guest's.) What has not changed since
    /// translated code was entered is the guest's already, and may well look like an address of the host's.
    /// </summary>
    private void HideHostAddresses()
    {
        if (!_code.TryFindByLowHalf(Cpu->Float.InstructionOffset, out uint eip))
            return;
        Cpu->Float.InstructionOffset = eip;
        Cpu->Float.InstructionSelector = (ushort)Cpu->Cs.Selector;
        Cpu->Float.DataSelector = (ushort)Cpu->Ds.Selector;
    }

    /// <summary>Translated code was interrupted somewhere: finds out where the guest is.</summary>
    private void Interrupted()
    {
        SideTable.Entry place = _code.PlaceOf(Cpu->FaultRip);
        switch (place.Kind)
        {
            case SideKind.GoingToR10WithEcxInR9:
                Cpu->Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->SavedR9;
                Cpu->Eip = (uint)Cpu->SavedR10;
                break;
            case SideKind.InstructionWithEcxInR9:
                Cpu->Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->SavedR9;
                Cpu->Eip = place.Eip;
                break;
            case SideKind.GoingToR10:
                Cpu->Eip = (uint)Cpu->SavedR10;
                break;
            case SideKind.GoingToWithEcxInR9:
                Cpu->Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->SavedR9;
                Cpu->Eip = place.Eip;
                break;
            default:
                Cpu->Eip = place.Eip;
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
        AddressSpace space = _space!;
        if (_newPages.Run(space, out exit))
            return true;
        if (_newPages.HasComeToRest(space, out uint page))
            MapQuietly(page << Page.Shift);
        return false;
    }

    private bool HandleFault(out byte* host, out CpuExit exit)
    {
        SideTable.Entry place = _code.PlaceOf(Cpu->FaultRip);
        uint eip = place.Eip;
        Cpu->Eip = eip;
        host = null;
        exit = new CpuExit { Kind = ExitKind.Exception, InstructionEip = eip };

        // Misaligned for SSE, or through a segment that does not reach everywhere: the interpreter knows what it comes to.
        if (Cpu->FaultVector == ExceptionVector.GeneralProtection)
            return InterpretAt(eip, out exit);
        if (Cpu->FaultVector != ExceptionVector.PageFault)
        {
            exit.Vector = (byte)Cpu->FaultVector;
            return true;
        }

        ulong offset = Cpu->FaultAddress - Cpu->WindowBase;
        if (offset > uint.MaxValue)
        {
            // Over the edge of the window: an access that wraps around. The interpreter knows how.
            return InterpretAt(eip, out exit);
        }

        uint linear = (uint)offset;
        bool write = (Cpu->FaultError & 2) != 0;
        uint drops = _code.Drops;
        MapResult result = TryMap(linear, write, out uint errorCode, out string? killReason);
        _missed[(int)result]++;
        switch (result)
        {
            case MapResult.Unknown:
            case MapResult.Mapped when drops != _code.Drops:
                return false;
            case MapResult.Mapped:
                // Begun anew: into the middle of a block, whose first floating point instruction has been passed.
                host = _code.HostOf(in place);
                Cpu->FloatResume = Cpu->FloatWasLive;
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
        uint ring = Cpu->Cpl;
        Cpu->Cpl = Selectors.GuestRing;
        TryMap(Cpu->KernelStack - 4, write: true, out _, out _);
        if (((Cpu->KernelStack - 4) ^ (Cpu->KernelStack - 20)) > Page.OffsetMask)
            TryMap(Cpu->KernelStack - 20, write: true, out _, out _);
        Cpu->Cpl = ring;
    }
}
