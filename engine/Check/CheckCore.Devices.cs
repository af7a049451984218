// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>
/// Instructions that reach devices. They are the interpreter's under the translator too, so that there is nothing to compare; and they
/// can be carried out once only.
/// </summary>
public sealed unsafe partial class CheckCore
{
    private DeviceGate? _devices;

    /// <inheritdoc/>
    public override IDeviceSpace? Devices
    {
        get => _translator.Devices;
        set
        {
            _translator.Devices = value;
            _devices = value is null ? null : new DeviceGate(value);
            _oracle.Devices = _devices;
        }
    }

    /// <summary>The block's instructions up to the one that reaches a device, by the interpreter alone; what they do stays done.</summary>
    /// <param name="stretch">How it went when it was stopped there.</param>
    /// <param name="exit">What it came to.</param>
    /// <returns>Whether it is the hypervisor's turn.</returns>
    private bool RunToDevice(in Stretch stretch, out CpuExit exit)
    {
        _oracle.Cpu->Arch = _before;
        _tape.Rewind();
        _journal.Open();
        _devices!.IsOpen = true;
        bool hasExit = _oracle.RunStretch(stretch.End, _path.Count, _path, out exit);
        _devices.IsOpen = false;
        _journal.Close();
        Cpu->Arch = _oracle.Cpu->Arch;
        Cpu->Instructions += (ulong)_path.Count;
        Unchecked++;

        // To the translator this is what somebody else has written: so is what the device wrote.
        foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
            Memory.AnnounceWrite(entry.Physical, (uint)entry.Size);
        TakeHostWrites();
        return hasExit;
    }
}
