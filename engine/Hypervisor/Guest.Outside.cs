// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Hypervisor;

/// <summary>What devices and other threads want of a guest: its buffers, interrupts, and that it comes out.</summary>
public sealed unsafe partial class Guest
{
    private readonly Thread _owner = Thread.CurrentThread;

    /// <summary>Held by other threads while they wake the owner: what they touch is freed under it.</summary>
    private readonly Lock _outside = new();
    private readonly ManualResetEventSlim _released = new(initialState: true);
    private volatile bool _breakAsked;
    private uint _irqsFromOutside;

    /// <inheritdoc/>
    public event Action? BindingsChanged
    {
        add => Dma.Changed += value;
        remove => Dma.Changed -= value;
    }

    private bool IsOver => _dead is not null || _reset || _disposed;

    /// <inheritdoc/>
    public DmaBinding? FindBinding(uint key) => Dma.Find(key);

    /// <inheritdoc/>
    public uint? TakeBuffer(uint key)
    {
        if (IsOver)
            return null;
        if (!Dma.IsValidKey(key))
        {
            Kill("bad registered DMA buffer");
            return null;
        }

        try
        {
            uint? buffer = Dma.FindFree(key);
            if (Wants(GuestEvents.Buffers))
                _observer!.BufferTaken(key, buffer);
            return buffer;
        }
        catch (GuestAddressException e)
        {
            Kill($"bad read address 0x{e.Address:x} len {e.Length}");
            return null;
        }
    }

    /// <inheritdoc/>
    public bool RaiseIrq(uint irq)
    {
        if (irq >= Vectors.IrqCount || IsOver)
            return false;
        if (Thread.CurrentThread == _owner)
        {
            Raise(irq);

            // A device raises it from inside an instruction: the guest is to come out after that.
            Volatile.Write(ref _cpu->Attention, 1);
            return true;
        }

        lock (_outside)
        {
            if (_disposed)
                return false;

            // The owner is woken once for each: to wake it is a signal, of which a process can have only so many pending.
            if ((Interlocked.Or(ref _irqsFromOutside, 1u << (int)irq) & (1u << (int)irq)) == 0)
                Wake();
        }

        return true;
    }

    /// <inheritdoc/>
    public bool Break()
    {
        lock (_outside)
        {
            if (_disposed || IsOver)
                return false;
            _released.Reset();
            RequestBreak();
        }

        _released.Wait();
        return true;
    }

    /// <inheritdoc/>
    public void ReleaseBreak()
    {
        lock (_outside)
        {
            _breakAsked = false;
            _released.Set();
        }
    }

    /// <summary>Makes <see cref="Run"/> return until <see cref="ReleaseBreak"/>, without waiting for anything. Not once the guest is disposed of.</summary>
    internal void RequestBreak()
    {
        _breakAsked = true;
        Wake();
    }

    private void Raise(uint irq)
    {
        _irqsPending |= 1u << (int)irq;
        if (Wants(GuestEvents.Interrupts))
            _observer!.IrqRaised(irq);
    }

    private void RaiseIrqsFromOutside()
    {
        for (uint raised = Interlocked.Exchange(ref _irqsFromOutside, 0); raised != 0; raised &= raised - 1)
            Raise((uint)System.Numerics.BitOperations.TrailingZeroCount(raised));
    }

    private void Wake()
    {
        _core.RequestAttention();
        _wakeUp.Set();
    }

    private void CloseToOutside()
    {
        // Under the lock, since somebody may be on the way in: nobody must reach into what is freed next.
        lock (_outside)
        {
            _disposed = true;
            _breakAsked = false;
        }

        // Whoever waits for a break to be released must not wait for ever.
        _released.Set();
    }
}
