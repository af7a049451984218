// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Bus.Lguest;

// [D:280] A bus that is a page of the guest's
// Between the sixteen descriptors of 2.6.23 and PCI there were seven years of something in between: virtio's rings, found by way of a
// page above RAM with a descriptor for each device. It is the guest's own memory: no access to it is seen, and the guest says with one
// call, NOTIFY, that it has put something into a ring, or that it has changed a status.
/// <summary>
/// The bus of 2.6.24 to 3.19 (abi.md §7): a page of descriptors above RAM, and after it the rings, three pages for each. What a guest
/// writes into its descriptors and rings concerns its own devices; where they are is known here, and not read there.
/// </summary>
public sealed class LguestBus : GuestBus
{
    /// <summary>Queues at most: each has an irq of its own, and irqs above 15 are not for every kernel.</summary>
    public const int MostQueues = 15;

    /// <summary>Bytes of an early console's text at most. Kernels say 16 at a time.</summary>
    private const int LongestText = (int)Page.Size;

    private const uint RingEntries = RingLayout.MaxSize;

    private static readonly uint s_ringBytes = (uint)RingLayout.PagesOf(RingEntries) * Page.Size;

    private readonly GuestMemory _memory;
    private readonly uint _descriptorPage;
    private readonly bool _isTyped;
    private readonly List<BusDevice> _devices = [];
    private readonly List<(BusDevice Device, int Queue)> _queues = [];
    private uint _nextDescriptor;
    private VirtioConsole? _console;

    /// <summary>An empty bus.</summary>
    /// <param name="memory">The guest's memory; the descriptor page and <see cref="PagesFor"/> pages after it must be part of it.</param>
    /// <param name="descriptorPage">Guest physical address of the descriptor page.</param>
    /// <param name="isTyped">Whether descriptors are lists of fields, as in 2.6.24.</param>
    public LguestBus(GuestMemory memory, uint descriptorPage, bool isTyped)
    {
        _memory = memory;
        _descriptorPage = _nextDescriptor = descriptorPage;
        _isTyped = isTyped;
        memory.Write(descriptorPage, Page.Size).Clear();
    }

    /// <summary>Pages of device memory that so many queues need, after the descriptors.</summary>
    public static int PagesFor(int queues) => queues * RingLayout.PagesOf(RingEntries);

    /// <summary>Puts a device on the bus: writes its descriptor and gives it zeroed rings.</summary>
    /// <exception cref="InvalidOperationException">The bus is full.</exception>
    public void Add(VirtioDevice device)
    {
        int queues = device.Queues.Count;
        if (_queues.Count + queues > MostQueues)
            throw new InvalidOperationException($"the bus has room for {MostQueues} queues and is full");
        uint firstIrq = 1 + (uint)_queues.Count;
        RingLayout[] rings = new RingLayout[queues];
        BusQueue[] described = new BusQueue[queues];
        for (int i = 0; i < queues; i++)
        {
            uint start = _descriptorPage + Page.Size + ((uint)(_queues.Count + i) * s_ringBytes);
            rings[i] = RingLayout.Contiguous(start, RingEntries);
            described[i] = new BusQueue { Entries = (ushort)RingEntries, Irq = (ushort)(firstIrq + i), Pfn = start >> Page.Shift };
        }

        DescriptorImage image = _isTyped ? DescriptorImage.Typed(device, described) : DescriptorImage.Untyped(device, described);
        if (_nextDescriptor + (uint)image.Bytes.Length > _descriptorPage + Page.Size)
            throw new InvalidOperationException("the page of descriptors is full");
        BusDevice added = new(device, _memory, _nextDescriptor, image, rings, firstIrq, Interrupt);
        _nextDescriptor += (uint)image.Bytes.Length;
        _devices.Add(added);
        Place(device, new PlacedDevice(device.Model, firstIrq, new MemoryRange(rings[0].Descriptors, (ulong)queues * s_ringBytes)));
        for (int i = 0; i < queues; i++)
            _queues.Add((added, i));
        _console ??= device as VirtioConsole;
    }

    // [D:300+20] One call for everything
    // All that the guest says is an address. The first byte of a ring means that ring. The first byte of a descriptor means its status.
    // Anything else that is memory is a text: the kernel's first words, before it has looked for a console.
    /// <inheritdoc/>
    public override bool TryServe(in RunExit exit, out string? death)
    {
        death = null;
        if (exit.Kind != RunExitKind.Notify)
            return false;
        uint address = exit.Address;
        if (FindQueue(address) is { } queue)
            queue.Device.Notify(queue.Queue);
        else if (FindDescriptor(address) is { } device)
            device.StatusChanged();
        else if (_memory.Contains(address, 1))
            Say(address);
        else
            death = $"Bad NOTIFY 0x{address:x}";
        return true;
    }

    /// <inheritdoc/>
    public override string StateOf(int index) => _devices[index].State;

    private (BusDevice Device, int Queue)? FindQueue(uint address)
    {
        uint offset = address - (_descriptorPage + Page.Size);
        uint index = offset / s_ringBytes;
        return offset % s_ringBytes == 0 && index < (uint)_queues.Count ? _queues[(int)index] : null;
    }

    private BusDevice? FindDescriptor(uint address)
    {
        foreach (BusDevice device in _devices)
        {
            if (device.Address == address)
                return device;
        }

        return null;
    }

    /// <summary>A text of an early console: up to its NUL, or to where memory ends.</summary>
    private void Say(uint address)
    {
        Span<byte> text = stackalloc byte[LongestText];
        int length = 0;
        while (length < text.Length && _memory.Contains(address + (uint)length, 1))
        {
            byte character = _memory.ReadValue<byte>(address + (uint)length); // Read once
            if (character == 0)
                break;
            text[length++] = character;
        }

        _console?.WriteEarly(text[..length]);
    }
}
