// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends;

namespace Lguest.Devices.Models;

/// <summary>A console: what the guest says goes out, what was typed waits until the guest has room for it.</summary>
/// <param name="port">The host's side; it outlives the model.</param>
public sealed class ConsoleModel(ConsolePort port) : DeviceModel
{
    private readonly GuestVector _early = new();
    private readonly byte[] _pinned = GC.AllocateArray<byte>(256, pinned: true);

    /// <inheritdoc/>
    public override string Description => "console";

    /// <summary>Where input comes from.</summary>
    public int InputDescriptor => port.InputDescriptor;

    /// <summary>Whether there is input, and room for it.</summary>
    public bool WantsInput => port.WantsInput;

    /// <summary>Whether the guest has not yet got all that was typed.</summary>
    public bool HoldsInput => !port.Held.IsEmpty;

    // [D:150+8] The console: output
    // The end of the way from [G:200]: a writev to standard output. When nobody reads there, the guest has to wait, and the
    // launcher goes on looking after everything else meanwhile.
    /// <summary>Writes what the guest says.</summary>
    /// <param name="text">It is used up.</param>
    /// <returns>Bytes written; fewer than there were when the output failed.</returns>
    public uint Write(GuestVector text)
    {
        Observer?.Saying(this, text);
        uint written = (uint)port.Write(text);
        Observer?.Sent(this, written);
        return written;
    }

    /// <summary>Writes what an early console says, which has no buffer yet.</summary>
    public void Write(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            ReadOnlySpan<byte> part = text[..Math.Min(text.Length, _pinned.Length)];
            part.CopyTo(_pinned);
            _early.LoadHost(_pinned, part.Length);
            Write(_early);
            text = text[part.Length..];
        }
    }

    /// <summary>Reads ahead what was typed. Called when the descriptor is readable.</summary>
    public void ReadInput() => port.ReadInput();

    /// <summary>Gives the guest what was typed.</summary>
    /// <param name="target">A buffer of the guest's.</param>
    /// <returns>Bytes given: as many as it has room for.</returns>
    public int Fill(GuestVector target)
    {
        int given = target.CopyFrom(port.Held);
        port.Take(given);
        if (given > 0)
            Observer?.Delivered(this, (uint)given);
        return given;
    }
}
