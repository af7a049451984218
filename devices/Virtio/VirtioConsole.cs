// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Bus;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Virtio;

/// <summary>
/// A console (abi.md §10): one queue in, one out. Its driver waits in a loop, with interrupts off, until what it has said comes back; so
/// output is written before the guest runs on.
/// </summary>
/// <param name="console">What the console does.</param>
/// <param name="memory">The guest's memory.</param>
/// <param name="format">What requests look like.</param>
/// <param name="complaints">Who hears of drivers that break a rule.</param>
/// <param name="clock">For the time that a driver needs before it is ready for input; null: none.</param>
public sealed class VirtioConsole(ConsoleModel console, GuestMemory memory, VirtioFormat format, Complaints? complaints = null, TimeProvider? clock = null)
    : VirtioDevice(memory, format, queues: 2, complaints), IInputDevice
{
    /// <summary>Where in the configuration a character can be written before there is a queue.</summary>
    public const int EmergencyWrite = 8;

    private const int InputQueue = 0;

    private readonly InputPatience _patience = new(clock);

    /// <inheritdoc/>
    public override DeviceModel Model => console;

    /// <inheritdoc/>
    public override VirtioId Id => VirtioId.Console;

    /// <summary>Columns and rows, which are not offered; how many ports, likewise; and the emergency character.</summary>
    public override int ConfigurationLength => EmergencyWrite + sizeof(uint);

    /// <inheritdoc/>
    public int InputDescriptor => console.InputDescriptor;

    /// <inheritdoc/>
    public bool WantsInput => console.WantsInput;

    /// <inheritdoc/>
    public bool HoldsInput => console.HoldsInput;

    /// <inheritdoc/>
    protected override ulong OwnFeatures => (Format.Features & VirtioFeatures.Version1) != 0 ? VirtioFeatures.ConsoleEmergencyWrite : 0;

    /// <inheritdoc/>
    public void ReadInput() => console.ReadInput();

    /// <inheritdoc/>
    public bool Deliver() => Fault == null && HoldsInput && Attend(InputQueue);

    /// <inheritdoc/>
    public override void WriteConfiguration(int offset, uint value, int width)
    {
        if (offset == EmergencyWrite)
            console.Write([(byte)value]);
    }

    /// <summary>The guest says something before it has a queue.</summary>
    public void WriteEarly(ReadOnlySpan<byte> text) => console.Write(text);

    /// <inheritdoc/>
    protected override bool HasAnswer(int queue) => queue != InputQueue || (HoldsInput && _patience.IsOver);

    /// <inheritdoc/>
    protected override void QueuesChanged() => _patience.Begin();

    /// <inheritdoc/>
    protected override uint Answer(int queue, VirtqueueChain request)
    {
        if (queue == InputQueue)
            return (uint)console.Fill(request.In);
        console.Write(request.Out);
        _patience.HasSpoken();
        return 0;
    }
}
