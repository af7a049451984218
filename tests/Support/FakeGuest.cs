// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Tests.Support;

/// <summary>A guest without an engine: the test says which buffers are bound and why it comes out, and sees the irqs.</summary>
public sealed class FakeGuest(GuestMemory? memory = null) : IGuest
{
    private readonly Dictionary<uint, (uint Dma, uint Irq)> _bindings = [];
    private readonly Queue<Func<RunExit>> _exits = [];

    /// <inheritdoc/>
    public event Action? BindingsChanged;

    /// <summary>Irqs raised, in order.</summary>
    public List<uint> Irqs { get; } = [];

    /// <summary>Times that a break was released.</summary>
    public int Releases { get; private set; }

    /// <summary>Times that somebody asked for a buffer.</summary>
    public int BufferRequests { get; private set; }

    /// <summary>What a break does; without it, it is released at once.</summary>
    public Func<bool> OnBreak { get; set; } = static () => true;

    /// <summary>What the release of a break does.</summary>
    public Action OnRelease { get; set; } = static () => { };

    /// <summary>Binds one buffer at a key, as the guest would.</summary>
    public void Bind(uint key, uint dma, uint irq)
    {
        _bindings[key] = (dma, irq);
        BindingsChanged?.Invoke();
    }

    /// <summary>Why it comes out, one time after the other.</summary>
    public void ComesOut(params ReadOnlySpan<Func<RunExit>> exits)
    {
        foreach (Func<RunExit> exit in exits)
            _exits.Enqueue(exit);
    }

    /// <inheritdoc/>
    public RunExit Run() => _exits.Dequeue()();

    /// <inheritdoc/>
    public DmaBinding? FindBinding(uint key) => _bindings.TryGetValue(key, out (uint Dma, uint Irq) bound) ? new DmaBinding(bound.Dma, 1, bound.Irq) : null;

    /// <inheritdoc/>
    public uint? TakeBuffer(uint key)
    {
        BufferRequests++;
        if (!_bindings.TryGetValue(key, out (uint Dma, uint Irq) bound))
            return null;
        if (memory!.Contains(bound.Dma, LguestDma.Size))
        {
            if (memory.ReadUInt32(bound.Dma) != 0)
                return null;
            memory.WriteUInt32(bound.Dma, bound.Irq);
        }

        return bound.Dma;
    }

    /// <inheritdoc/>
    public bool RaiseIrq(uint irq)
    {
        Irqs.Add(irq);
        return true;
    }

    /// <inheritdoc/>
    public bool Break() => OnBreak();

    /// <inheritdoc/>
    public void ReleaseBreak()
    {
        Releases++;
        OnRelease();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
