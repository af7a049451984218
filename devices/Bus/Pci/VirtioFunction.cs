// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Bus.Pci;

/// <summary>
/// A virtio device on the PCI bus: the registers by which its driver finds out what it can do, sets up its queues and starts it (abi.md
/// §8.3). A driver may access any byte in any width; what makes no sense reads zero and is lost when written.
/// </summary>
internal sealed class VirtioFunction : IVirtioInterrupts
{
    /// <summary>Where the registers of all devices begin.</summary>
    public const int CommonRegisters = 0;

    /// <summary>Where they end: a write there says that there is something in a queue.</summary>
    public const int NotifyRegister = 56;

    /// <summary>Why there was an interrupt; reading forgets it.</summary>
    public const int InterruptRegister = 58;

    /// <summary>Where the device's own configuration begins.</summary>
    public const int DeviceRegisters = 60;

    private const byte QueueInterrupt = 1;
    private const byte ChangeInterrupt = 2;

    private readonly PciConfiguration _configuration;
    private readonly QueueRegisters[] _queues;
    private readonly Action<uint> _raiseIrq;
    private readonly uint _irq;
    private VirtioStatus _status;
    private ulong _features;
    private uint _offeredSelect;
    private uint _acceptedSelect;
    private ushort _queueSelect;
    private byte _interrupt;

    /// <summary>A device in a slot.</summary>
    /// <param name="device">Which.</param>
    /// <param name="slot">Its slot, which is its irq, too.</param>
    /// <param name="address">Where its registers are.</param>
    /// <param name="raiseIrq">Raises an irq.</param>
    public VirtioFunction(VirtioDevice device, int slot, uint address, Action<uint> raiseIrq)
    {
        Device = device;
        _configuration = new PciConfiguration(device.Id, slot, address, device.ConfigurationLength);
        _queues = new QueueRegisters[device.Queues.Count];
        _irq = (uint)slot;
        _raiseIrq = raiseIrq;
        device.Interrupts = this;
        Reset();
    }

    /// <summary>The device.</summary>
    public VirtioDevice Device { get; }

    /// <summary>Guest physical address of its registers.</summary>
    public uint Address => _configuration.Address;

    /// <summary>How it stands, in words for a debugger.</summary>
    public string State =>
        $"slot {_irq}, registers at 0x{Address:x8}, features 0x{_features:x} of 0x{Device.OfferedFeatures:x}, status {_status}{(Device.Fault == null ? string.Empty : $", out of service: {Device.Fault}")}";

    /// <summary>Reads the configuration space, or through its window a register.</summary>
    public uint ReadConfiguration(int offset, int width)
    {
        if (offset < PciConfiguration.WindowData || offset >= PciConfiguration.Length)
            return _configuration.Read(offset, width);
        (uint register, int size) = _configuration.Window;
        return size == 0 ? 0 : ReadRegister(register, Math.Min(size, width));
    }

    /// <summary>Writes the configuration space, or through its window a register.</summary>
    public void WriteConfiguration(int offset, uint value, int width)
    {
        if (offset < PciConfiguration.WindowData || offset >= PciConfiguration.Length)
        {
            _configuration.Write(offset, value, width);
            return;
        }

        (uint register, int size) = _configuration.Window;
        if (size != 0)
            WriteRegister(register, value, Math.Min(size, width));
    }

    /// <inheritdoc/>
    public void QueueUsed(int queue) => Interrupt(QueueInterrupt);

    /// <inheritdoc/>
    public void DeviceChanged() => Interrupt(ChangeInterrupt);

    /// <summary>Reads a register.</summary>
    /// <param name="offset">Bytes from the first.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    public uint ReadRegister(uint offset, int width)
    {
        Span<byte> bytes = stackalloc byte[DeviceRegisters + Device.ConfigurationLength];
        if (offset >= bytes.Length)
            return 0;
        bytes.Clear();
        if (offset >= DeviceRegisters)
        {
            Device.ReadConfiguration(bytes[DeviceRegisters..]);
        }
        else
        {
            Show(bytes);

            // Once for one access, whatever its width: reading it has an effect.
            if (offset <= InterruptRegister && offset + width > InterruptRegister)
            {
                bytes[InterruptRegister] = _interrupt;
                _interrupt = 0;
            }
        }

        uint value = 0;
        for (int i = 0; i < width && offset + i < bytes.Length; i++)
            value |= (uint)bytes[(int)offset + i] << (8 * i);
        return value;
    }

    /// <summary>Writes a register.</summary>
    /// <param name="offset">Bytes from the first.</param>
    /// <param name="value">What.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    public void WriteRegister(uint offset, uint value, int width)
    {
        switch (offset, width)
        {
            case (0, 4):
                _offeredSelect = value;
                break;
            case (8, 4):
                _acceptedSelect = value;
                break;
            case (12, 4) when _acceptedSelect < 2 && (_status & VirtioStatus.FeaturesFinal) == 0:
                int shift = 32 * (int)_acceptedSelect;
                _features = (_features & ~((ulong)uint.MaxValue << shift)) | ((ulong)value << shift);
                break;
            case (20, 1):
                SetStatus((VirtioStatus)value);
                break;
            case (22, 2):
                _queueSelect = (ushort)value;
                break;
            case (NotifyRegister, 2 or 4) when (_status & VirtioStatus.DriverReady) != 0:
                Device.Notify((ushort)value);
                break;
            case ( >= DeviceRegisters, _):
                Device.WriteConfiguration((int)offset - DeviceRegisters, value, width);
                break;
            case ( >= 24 and < NotifyRegister, _) when _queueSelect < _queues.Length:
                _queues[_queueSelect].Write(offset, value, width);
                break;
        }
    }

    private void Show(Span<byte> bytes)
    {
        ulong offered = _offeredSelect < 2 ? Device.OfferedFeatures >> (32 * (int)_offeredSelect) : 0;
        ulong accepted = _acceptedSelect < 2 ? _features >> (32 * (int)_acceptedSelect) : 0;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, _offeredSelect);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], (uint)offered);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], _acceptedSelect);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], (uint)accepted);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[16..], ushort.MaxValue);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[18..], (ushort)_queues.Length);
        bytes[20] = (byte)(_status | (Device.Fault == null ? 0 : VirtioStatus.NeedsReset));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[22..], _queueSelect);
        if (_queueSelect < _queues.Length)
            _queues[_queueSelect].Show(bytes[24..NotifyRegister]);
    }

    private void SetStatus(VirtioStatus wanted)
    {
        if (wanted == VirtioStatus.None)
        {
            Reset();
            return;
        }

        // Bits come and do not go. The driver does not decide whether the device needs a reset.
        VirtioStatus added = wanted & ~_status & ~VirtioStatus.NeedsReset;
        if ((added & VirtioStatus.FeaturesFinal) != 0 && ((_status & VirtioStatus.Driver) == 0 || !Device.Accept(_features)))
            added &= ~(VirtioStatus.FeaturesFinal | VirtioStatus.DriverReady);
        if (((_status | added) & VirtioStatus.FeaturesFinal) == 0)
            added &= ~VirtioStatus.DriverReady;
        _status |= added;
        if ((added & VirtioStatus.DriverReady) == 0)
            return;
        for (int i = 0; i < _queues.Length; i++)
        {
            if (_queues[i].IsEnabled)
                StartQueue(i);
        }
    }

    private void StartQueue(int queue)
    {
        if (_queues[queue].Layout is { } layout)
            Device.StartQueue(queue, layout);
        else
            Device.Break($"queue {queue} lies above 4 GiB");
    }

    private void Reset()
    {
        _status = VirtioStatus.None;
        _features = 0;
        _offeredSelect = _acceptedSelect = 0;
        _queueSelect = 0;
        _interrupt = 0;
        Array.Fill(_queues, QueueRegisters.Initial);
        Device.Reset();
    }

    private void Interrupt(byte why)
    {
        _interrupt |= why;
        _raiseIrq(_irq);
    }
}
