// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Bus.Lguest;

/// <summary>
/// A virtio device on the lguest bus: a descriptor in which its driver says how far it is, rings whose place is known from the start, and an
/// irq for each (abi.md §7).
/// </summary>
internal sealed class BusDevice : IVirtioInterrupts
{
    private readonly GuestMemory _memory;
    private readonly DescriptorImage _image;
    private readonly RingLayout[] _rings;
    private readonly uint _firstIrq;
    private readonly Action<uint> _raiseIrq;
    private bool _isStarted;
    private bool _isHeard;

    /// <summary>Writes the descriptor and clears the rings.</summary>
    /// <param name="device">The device.</param>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="address">Guest physical address of the descriptor.</param>
    /// <param name="image">What is there.</param>
    /// <param name="rings">Where its rings are.</param>
    /// <param name="firstIrq">The irq of its first queue; those of the others follow.</param>
    /// <param name="raiseIrq">Raises an irq.</param>
    public BusDevice(VirtioDevice device, GuestMemory memory, uint address, DescriptorImage image, RingLayout[] rings, uint firstIrq, Action<uint> raiseIrq)
    {
        Device = device;
        Address = address;
        _memory = memory;
        _image = image;
        _rings = rings;
        _firstIrq = firstIrq;
        _raiseIrq = raiseIrq;
        image.Bytes.CopyTo(memory.Write(address, (uint)image.Bytes.Length));
        ClearRings();
        device.Interrupts = this;
        device.Reset();
    }

    /// <summary>The device.</summary>
    public VirtioDevice Device { get; }

    /// <summary>Guest physical address of its descriptor.</summary>
    public uint Address { get; }

    /// <summary>How it stands, in words for a debugger.</summary>
    public string State
    {
        get
        {
            VirtioStatus status = (VirtioStatus)_memory.ReadValue<byte>(Address + (uint)_image.Status);
            string fault = Device.Fault == null ? string.Empty : $", out of service: {Device.Fault}";
            return $"descriptor at 0x{Address:x8}, {_rings.Length} rings from 0x{_rings[0].Descriptors:x8} on, features 0x{Device.Features:x} of 0x{Device.OfferedFeatures:x}, status {status}{(_isStarted ? ", in use" : string.Empty)}{fault}";
        }
    }

    /// <inheritdoc/>
    public void QueueUsed(int queue) => _raiseIrq(_firstIrq + (uint)queue);

    /// <summary>Nothing: there is no irq for it, and no bit by which a driver could see it.</summary>
    public void DeviceChanged()
    {
    }

    /// <summary>The driver says that there is something in a queue. It may do so before it says that it is ready.</summary>
    public void Notify(int queue)
    {
        Start();
        Device.Notify(queue);
    }

    // [D:290+17] How far is the driver?
    // What drivers say differs: 2.6.24 says nothing at all, 2.6.25 only that it resets the device, later releases each step, 3.x some of
    // them. All of them fill rings before they say that they are ready. So what counts is the first buffer, and the way back: a reset,
    // upon which the device forgets everything and the rings are as new.
    /// <summary>The driver says that it has changed the status.</summary>
    public void StatusChanged()
    {
        VirtioStatus status = (VirtioStatus)_memory.ReadValue<byte>(Address + (uint)_image.Status); // Read once

        // Who says "ready" has said other things before. Who has not leaves it to the device to set the status back.
        if (status == VirtioStatus.None || (!_isHeard && (status & VirtioStatus.DriverReady) != 0))
        {
            Reset();
            return;
        }

        _isHeard = true;
        if ((status & VirtioStatus.DriverReady) != 0)
            Start();
    }

    /// <summary>What the driver has accepted by now is final; its queues are where they have always been.</summary>
    private void Start()
    {
        if (_isStarted)
            return;
        _isStarted = true;
        uint features = _image.Accepted is { } accepted ? _memory.ReadUInt32(Address + (uint)accepted) : 0; // Read once
        if (!Device.Accept(features))
        {
            Device.Break($"its driver accepts features 0x{features:x8}, and 0x{Device.OfferedFeatures:x8} are offered");
            return;
        }

        for (int i = 0; i < _rings.Length; i++)
            Device.StartQueue(i, _rings[i]);
    }

    private void Reset()
    {
        _isStarted = _isHeard = false;
        _memory.WriteValue(Address + (uint)_image.Status, (byte)VirtioStatus.None);
        if (_image.Accepted is { } accepted)
            _memory.WriteUInt32(Address + (uint)accepted, 0);
        ClearRings();
        Device.Reset();
    }

    private void ClearRings()
    {
        foreach (RingLayout ring in _rings)
            _memory.Write(ring.Descriptors, ring.Used + ring.UsedBytes - ring.Descriptors).Clear();
    }
}
