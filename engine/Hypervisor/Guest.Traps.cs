// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Hypervisor;

/// <summary>How a guest is interrupted: virtual irqs, and traps of its own making (abi.md §4.1).</summary>
public sealed unsafe partial class Guest
{
    private long _clockDeadline;
    private long _clockPeriod;
    private long _periodStart;

    /// <summary>
    /// Vectors whose gates the host keeps to itself, since it has to see them first, and the irqs: whatever their gate in the
    /// guest's table says, <c>int n</c> finds a gate of ring 0 there.
    /// </summary>
    private static bool MayBeRaised(uint vector) =>
        vector is < Vectors.FirstIrq and not Vectors.Hypercall ? !ExceptionVector.IsSeenFirst(vector) : vector == Vectors.SystemCall;

    // [H:200+37] May it be interrupted now?
    // Five conditions: something is pending; the guest has not masked it; it is not in the few instructions before its iret
    // ([G:180]); it has interrupts on, or it sleeps; and there is a gate. If one is missing, nothing happens, and the loop looks
    // again very soon, since a guest that turns interrupts on tells nobody.
    /// <summary>Delivers the lowest pending, unmasked irq, if the guest takes interrupts here.</summary>
    private void MaybeInterrupt()
    {
        if (_data is null || _irqsPending == 0)
            return;
        uint deliverable = _irqsPending & ~_data.BlockedInterrupts; // Read once
        if (deliverable == 0)
            return;
        if (_cpu->Arch.Eip >= _noIrqStart && _cpu->Arch.Eip < _noIrqEnd)
            return;
        if (_halted)
        {
            // An interrupt is what a halted guest waits for: it is told so whatever irq_enabled said.
            _data.IrqEnabled = GuestData.InterruptFlag;
            _halted = false;
        }
        else if (!_data.TakesInterrupts)
        {
            _data.IrqPending = true;
            return;
        }

        int irq = System.Numerics.BitOperations.TrailingZeroCount(deliverable);
        Gate gate = _idt[(uint)(Vectors.FirstIrq + irq)];
        if (gate.Present)
        {
            _irqsPending &= ~(1u << irq);
            _statistics.CountInterrupt(irq);
            if (Wants(GuestEvents.Interrupts))
                _observer!.IrqDelivered((uint)irq);
            if (_cpu->Arch.Eip == _noIrqReturn && _cpu->Arch.Cpl == Selectors.GuestRing)
                DeliverAtReturn(in gate, _data);
            else
                Deliver((uint)(Vectors.FirstIrq + irq), gate, errorCode: null, _cpu->Arch.Flags);
            if ((deliverable & (deliverable - 1)) == 0)
                _data.IrqPending = false;
        }

        _data.SetTime(_clock.Wall);
    }

    // [H:220+20] int n
    // From ring 1 with the right number it is a hypercall. Otherwise it is the guest's own affair, if it has a gate that this ring
    // may use; a system call of a program is that. Without one it is a protection fault, as on a processor.
    private void HandleSoftwareInterrupt(in CpuExit exit)
    {
        if (exit.Vector == Vectors.Hypercall && _cpu->Arch.Cpl == Selectors.GuestRing)
        {
            _hypercallPending = true;
            return;
        }

        Gate gate = _idt[exit.Vector];
        if (gate.Present && gate.Dpl >= _cpu->Arch.Cpl && MayBeRaised(exit.Vector))
        {
            BeforeTrap(in exit);
            Deliver(exit.Vector, gate, errorCode: null, _cpu->Arch.Flags);
            return;
        }

        // No gate, or not for this ring: a protection fault at the instruction, whose error code names the gate.
        _cpu->Arch.Eip = exit.InstructionEip;
        DeliverTrap(new CpuExit { Kind = ExitKind.Exception, Vector = ExceptionVector.GeneralProtection, ErrorCode = (exit.Vector * 8u) + 2 });
    }

    private void DeliverTrap(in CpuExit exit)
    {
        if (TryEmulate(in exit))
            return;
        if (exit.Vector == ExceptionVector.PageFault && _data is not null)
            _data.Cr2 = exit.FaultAddress;
        Gate gate = _idt[exit.Vector];
        if (!gate.Present)
        {
            Kill($"unhandled trap {exit.Vector} at {Hex(_cpu->Arch.Eip)} ({Hex(exit.Vector == ExceptionVector.PageFault ? exit.FaultAddress : exit.ErrorCode)})");
            return;
        }

        BeforeTrap(in exit);
        uint flags = _cpu->Arch.Flags | (ExceptionVector.PushesResumeFlag(exit.Vector) ? EFlags.Resume : 0);
        Deliver(exit.Vector, gate, ExceptionVector.PushesErrorCode(exit.Vector) ? exit.ErrorCode : null, flags);
    }

    // [H:210+43] A trap, delivered
    // The frame that a processor would push: from ring 3 the old stack first, on the stack that the guest has named for that; then
    // flags, %cs and %eip, and for some vectors an error code. One bit is made up. The guest has never really turned interrupts
    // off, so the flag in the frame is the one that it believes in; it will put the same bit back at [G:180]. Only the core can
    // say whether the stack can be written.
    /// <summary>Pushes the frame that the processor would push, and goes to the handler.</summary>
    private void Deliver(uint vector, in Gate gate, uint? errorCode, uint flags)
    {
        Span<uint> frame = stackalloc uint[6];
        int words = 0;
        bool fromUser = _cpu->Arch.Cpl != Selectors.GuestRing;
        uint selector = _cpu->Arch.Ss.Selector;
        uint stack = _cpu->Arch.Registers[(int)GeneralRegister.Esp];
        uint stackBase = _cpu->Arch.Ss.Base;
        uint interrupted = _cpu->Arch.Eip;
        if (fromUser)
        {
            frame[words++] = selector;
            frame[words++] = stack;
            selector = _stackSelector;
            stack = _stackPointer;
            stackBase = _gdt.TryGet(selector, out ulong descriptor) ? SegmentLoad.Base(descriptor) : 0;
        }

        // The guest never really turns interrupts off: what it believes is in irq_enabled.
        bool enabled = _data is null || _data.TakesInterrupts;
        frame[words++] = enabled ? flags | EFlags.Interrupt : flags & ~EFlags.Interrupt;
        frame[words++] = _cpu->Arch.Cs.Selector;
        frame[words++] = interrupted;
        if (errorCode is { } code)
            frame[words++] = code;
        if (!_core.PushAsKernel(stackBase + stack, frame[..words], out uint bad, out string? reason))
        {
            // A stack that is not there: through the host that is a bad address, straight from the processor a double fault.
            bool direct = !gate.IsInterruptGate && !ExceptionVector.IsSeenFirst(vector);
            Kill(reason ?? (direct ? $"unhandled trap 8 at {Hex(interrupted)} (0x0)" : $"bad write address {Hex(bad - _pageOffset)}"));
            return;
        }

        _cpu->Arch.Registers[(int)GeneralRegister.Esp] = stack - (uint)(words * sizeof(uint));
        _cpu->Arch.SystemFlags &= ~(EFlags.Trap | EFlags.NestedTask | EFlags.Resume);
        if (fromUser)
            _core.SetSegment(SegmentName.Ss, selector);
        _core.SetSegment(SegmentName.Cs, Selectors.KernelCode);
        _cpu->Arch.Eip = gate.Handler;
        if (gate.IsInterruptGate && _data is not null)
            _data.IrqEnabled = 0;
    }

    /// <summary>
    /// An interrupt at the very IRET that comes after turning interrupts on: as if it had been carried out, and the interrupt had come then.
    /// It would push again what IRET has popped, so the frame stays, and only the flags come from there.
    /// </summary>
    private void DeliverAtReturn(in Gate gate, GuestData data)
    {
        const uint flagsInFrame = 8;
        const uint taken = EFlags.Arithmetic | EFlags.Direction | EFlags.AlignmentCheck | EFlags.Identification;
        uint place = _cpu->Arch.Ss.Base + _cpu->Arch.Registers[(int)GeneralRegister.Esp] + flagsInFrame;
        if (this.ReadLinearWord(place) is not { } flags) // Read once
        {
            Kill($"bad read address {Hex(place - _pageOffset)} len {sizeof(uint)}");
            return;
        }

        _cpu->Arch.Flags = EFlags.Fixed | EFlags.Interrupt | (flags & taken);
        _core.SetSegment(SegmentName.Cs, Selectors.KernelCode);
        _cpu->Arch.Eip = gate.Handler;
        if (gate.IsInterruptGate)
            data.IrqEnabled = 0;
    }

    private void SetClockEvent(uint nanoseconds)
    {
        _clockPeriod = 0;
        _clockDeadline = nanoseconds == 0 ? 0 : _clock.Monotonic + nanoseconds;
    }

    private void StartPeriodicTimer(uint hz)
    {
        _periodStart = _clock.Monotonic;
        _clockPeriod = hz == 0 ? 0 : 1_000_000_000 / hz;
        _clockDeadline = hz == 0 ? 0 : _periodStart + _clockPeriod;
    }

    // [H:250+14] The clock
    // A guest has one timer, and asks for it once at a time: no tick disturbs a guest that has nothing to do. Engines come back by
    // themselves in time for this, some by counting instructions, some by a signal.
    private void CheckClock()
    {
        if (_clockDeadline == 0)
            return;
        long now = _clock.Monotonic;
        if (now < _clockDeadline)
            return;
        Raise(0);

        // Ticks that were missed are not made up for: the guest reads how much time has passed.
        _clockDeadline = _clockPeriod == 0 ? 0 : _clockDeadline + (((now - _clockDeadline) / _clockPeriod) + 1) * _clockPeriod;
    }

    private long TimeToClockEvent() => _clockDeadline == 0 ? -1 : Math.Max(0, _clockDeadline - _clock.Monotonic);
}
