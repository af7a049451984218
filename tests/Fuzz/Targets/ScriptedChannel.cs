// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>A channel without an engine, whose bindings the case makes. (Without NSubstitute: that is slow a million times.)</summary>
internal sealed class ScriptedChannel(GuestMemory memory) : IGuestChannel, IDmaBindings
{
    private readonly Dictionary<uint, DmaBinding> _bindings = [];

    public event Action? BindingsChanged;

    /// <summary>Irqs raised.</summary>
    public int Irqs { get; private set; }

    public void Bind(uint key, DmaBinding binding)
    {
        _bindings[key] = binding;
        BindingsChanged?.Invoke();
    }

    public void Clear()
    {
        _bindings.Clear();
        Irqs = 0;
    }

    public DmaBinding? FindBinding(uint key) => _bindings.TryGetValue(key, out DmaBinding binding) ? binding : null;

    public long Write(ReadOnlyMemory<byte> words)
    {
        ReadOnlySpan<uint> request = MemoryMarshal.Cast<byte, uint>(words.Span);
        switch ((ChannelRequest)request[0])
        {
            case ChannelRequest.GetDma:
                return _bindings.TryGetValue(request[1], out DmaBinding binding) ? GetDma(binding) : -Errno.ENOENT;
            case ChannelRequest.Irq:
                Irqs++;
                return 0;
            default:
                return 0;
        }
    }

    public long Read(Memory<byte> buffer) => -Errno.EAGAIN;

    public void Dispose()
    {
    }

    private long GetDma(in DmaBinding binding)
    {
        for (uint i = 0; i < Math.Min(binding.Count, 8); i++)
        {
            ulong address = binding.Array + ((ulong)i * LguestDma.Size);
            if (address > uint.MaxValue)
                return -Errno.ENOENT;
            if (!memory.Contains((uint)address, LguestDma.Size))
                return (long)address;
            if (memory.ReadUInt32((uint)address) != 0)
                continue;
            memory.WriteUInt32((uint)address, binding.Irq);
            return (long)address;
        }

        return -Errno.ENOENT;
    }
}
