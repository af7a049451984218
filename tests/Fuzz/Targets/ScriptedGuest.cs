// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>A guest without an engine, whose bindings the case makes.</summary>
internal sealed class ScriptedGuest(GuestMemory memory) : IDmaGuest
{
    private readonly Dictionary<uint, DmaBinding> _bindings = [];

    public event Action? BindingsChanged;

    /// <summary>Irqs raised.</summary>
    public int Irqs { get; private set; }

    /// <summary>Which.</summary>
    public ulong IrqSet { get; private set; }

    public void Bind(uint key, DmaBinding binding)
    {
        _bindings[key] = binding;
        BindingsChanged?.Invoke();
    }

    public void Clear()
    {
        _bindings.Clear();
        Irqs = 0;
        IrqSet = 0;
    }

    public DmaBinding? FindBinding(uint key) => _bindings.TryGetValue(key, out DmaBinding binding) ? binding : null;

    public bool RaiseIrq(uint irq)
    {
        Irqs++;
        IrqSet |= 1UL << (int)irq;
        return true;
    }

    public uint? TakeBuffer(uint key)
    {
        if (FindBinding(key) is not { } binding)
            return null;
        for (uint i = 0; i < Math.Min(binding.Count, 8); i++)
        {
            ulong address = binding.Array + ((ulong)i * LguestDma.Size);
            if (address > uint.MaxValue)
                return null;
            if (!memory.Contains((uint)address, LguestDma.Size))
                return (uint)address;
            if (memory.ReadUInt32((uint)address) != 0)
                continue;
            memory.WriteUInt32((uint)address, binding.Irq);
            return (uint)address;
        }

        return null;
    }
}
