// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Hypervisor;

/// <summary>
/// The buffers that the guest has bound with BIND_DMA (abi.md §6.1): at most 32 arrays of lguest_dma, each under a key and with
/// the irq that says one of them was used.
/// </summary>
public sealed class DmaRegistry(GuestMemory memory)
{
    private readonly Binding?[] _bindings = new Binding?[LguestDma.MaxBindings];
    private ulong _bound;

    /// <summary>Called after each binding made or undone, on the thread that runs the guest.</summary>
    public Action? Changed { get; set; }

    /// <summary>Bindings in use, oldest first: for the debugger.</summary>
    public IEnumerable<(uint Key, DmaBinding Bound)> Bindings =>
        _bindings.OfType<Binding>().OrderBy(b => b.Order).Select(b => (b.Key, new DmaBinding(b.Array, b.Count, b.Irq)));

    /// <summary>Whether a key may be one: the host finds keys by the futex they would be, a word of guest memory.</summary>
    public bool IsValidKey(uint key) => key % 4 == 0 && memory.Contains(key, 4);

    /// <summary>Binds, or with irq 0 unbinds.</summary>
    /// <returns>Whether that was done: false without a free slot, for an irq that does not exist, or for nothing to unbind.</returns>
    public bool Bind(uint key, uint array, uint count, uint irq)
    {
        if (irq >= Vectors.IrqCount)
            return false;
        if (irq == 0)
        {
            int bound = Array.FindIndex(_bindings, b => b is not null && b.Key == key && b.Array == array);
            if (bound < 0)
                return false;
            _bindings[bound] = null;
            Changed?.Invoke();
            return true;
        }

        int free = Array.IndexOf(_bindings, null);
        if (free < 0)
            return false;
        _bindings[free] = new Binding(key, array, count, irq, _bound++);
        Changed?.Invoke();
        return true;
    }

    /// <summary>The array bound last under a key; null when there is none.</summary>
    public DmaBinding? Find(uint key) =>
        Latest(key) is { } binding ? new DmaBinding(binding.Array, binding.Count, binding.Irq) : null;

    // [H:240+17] A buffer for what came in
    // A device has something for the guest and asks for a buffer that the guest has left at a key. The guest's list of buffers is
    // in its own memory, so the address of each is computed in 64 bits and checked: a guest may bind any nonsense, and this is
    // where it is found out.
    /// <summary>A free buffer of the array bound last under a key. Its irq is left in its used_len.</summary>
    /// <returns>Its guest physical address, or null: nothing bound, or every buffer full.</returns>
    /// <exception cref="GuestAddressException">The guest bound what it has not.</exception>
    public uint? FindFree(uint key)
    {
        Binding? binding = Latest(key);
        for (uint i = 0; i < binding?.Count; i++)
        {
            ulong address = binding.Array + ((ulong)i * LguestDma.Size);
            if (address > uint.MaxValue || !memory.Contains((uint)address, LguestDma.Size))
                throw new GuestAddressException((uint)address, LguestDma.Size);
            if (memory.ReadUInt32((uint)address) != 0) // Read once
                continue;
            memory.WriteUInt32((uint)address, binding.Irq);
            return (uint)address;
        }

        return null;
    }

    private Binding? Latest(uint key)
    {
        Binding? latest = null;
        foreach (Binding? candidate in _bindings)
        {
            if (candidate is not null && candidate.Key == key && (latest is null || candidate.Order > latest.Order))
                latest = candidate;
        }

        return latest;
    }

    private sealed record Binding(uint Key, uint Array, uint Count, uint Irq, ulong Order);
}
