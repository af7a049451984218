// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Models;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

/// <summary>
/// The guest's console. The guest sends its output to a fixed key, which is not the address of any page: the console works
/// before the guest has looked at the bus. Input goes into the buffer that the guest has bound at the same key.
/// </summary>
/// <param name="console">What the console does.</param>
/// <param name="key">The key: 0 in 2.6.23, 4 in 2007-02.</param>
/// <param name="complaints">Who hears of buffers that are not the guest's.</param>
public sealed class DmaConsole(ConsoleModel console, uint key, Complaints? complaints = null) : IDmaDevice, IInputDevice
{
    /// <summary>Pages of device memory: it works before the guest has looked at the bus.</summary>
    public const int Pages = 0;

    private readonly Complaints _complaints = complaints ?? Complaints.Silent;
    private readonly GuestVector _vector = new();
    private GuestMemory? _memory;
    private IDmaGuest? _guest;

    /// <inheritdoc/>
    public DeviceModel Model => console;

    /// <inheritdoc/>
    public DeviceType Type => DeviceType.Console;

    /// <inheritdoc/>
    public DeviceFeatures Features => DeviceFeatures.None;

    /// <inheritdoc/>
    public int PageCount => Pages;

    /// <inheritdoc/>
    public int InputDescriptor => console.InputDescriptor;

    /// <inheritdoc/>
    public bool WantsInput => console.WantsInput;

    /// <inheritdoc/>
    public bool HoldsInput => console.HoldsInput;

    /// <inheritdoc/>
    public void Attach(GuestMemory memory, uint firstPage) => _memory = memory;

    /// <inheritdoc/>
    public void Connect(IDmaGuest guest) => _guest = guest;

    /// <inheritdoc/>
    public bool Watches(uint sentTo) => sentTo == key;

    /// <inheritdoc/>
    public uint HandleOutput(IDmaGuest guest, uint sentTo, GuestVector sent) => console.Write(sent);

    /// <inheritdoc/>
    public void ReadInput() => console.ReadInput();

    // [D:160+40] The console: input
    // Input works the other way round: the guest has left an empty buffer at the key, and whoever has something takes it,
    // fills it, says how much, and raises the irq that the guest asked for. No buffer, or a full one: what was typed
    // keeps, and is offered again.
    /// <inheritdoc/>
    public bool Deliver()
    {
        if (!HoldsInput || _guest is not { } guest)
            return false;

        // Not bound yet, or still full of what we gave it last time: it keeps.
        if (guest.TakeBuffer(key) is not { } address)
            return false;
        try
        {
            uint irq = _memory!.ReadUInt32(address); // Read once
            int given = 0;
            try
            {
                _vector.Load(_memory, address, toGuest: true);
                given = console.Fill(_vector);
            }
            finally
            {
                // 0 gives the buffer back, if it turned out to be unusable.
                _memory.WriteUInt32(address, (uint)given);
            }

            if (given == 0)
                return false;
            _ = guest.RaiseIrq(irq);
            return true;
        }
        catch (GuestAddressException wrong)
        {
            _complaints.Once("console input", $"console input: {wrong.Message}");
            return false;
        }
    }
}
