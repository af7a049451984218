// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Tests.Contract;

/// <summary>Four ports and a page of addresses, of which each access is written down. What is read counts up.</summary>
internal sealed class RecordingDevices : IDeviceSpace
{
    public const ushort FirstPort = 0xCF8;

    private uint _next = 0x8765_4300;

    /// <summary>Each access as <c>in 0xcf8/4</c>, <c>read 0x300000/1</c>, <c>write 0x300004/2=0x1234</c>.</summary>
    public List<string> Accesses { get; } = [];

    /// <summary>Called at each access.</summary>
    public Action? Accessed { get; set; }

    public bool TryIn(ushort port, int width, out uint value)
    {
        value = 0;
        if (port is < FirstPort or >= FirstPort + 8)
            return false;
        Note($"in 0x{port:x}/{width}");
        value = ++_next;
        return true;
    }

    public bool TryOut(ushort port, int width, uint value)
    {
        if (port is < FirstPort or >= FirstPort + 8)
            return false;
        Note($"out 0x{port:x}/{width}=0x{value:x}");
        return true;
    }

    public bool HasAddress(uint address) => address - LaterGuest.DevicePage < Page.Size;

    public uint Read(uint address, int width)
    {
        Note($"read 0x{address:x}/{width}");
        return ++_next;
    }

    public void Write(uint address, int width, uint value) => Note($"write 0x{address:x}/{width}=0x{value:x}");

    private void Note(string access)
    {
        Accesses.Add(access);
        Accessed?.Invoke();
    }
}
