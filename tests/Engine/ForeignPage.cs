// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using static Tmds.Linux.LibC;

namespace Lguest.Tests.EngineParts;

/// <summary>A page of guest memory that is another file's too, as that of --sharenet is, and how the others see it.</summary>
internal sealed unsafe class ForeignPage : IDisposable
{
    private readonly int _fd;

    /// <summary>Puts it in place of a page of a guest's.</summary>
    public ForeignPage(MappedGuestMemory memory, uint address)
    {
        _fd = MemoryMap.CreateMemoryFile("another's"u8, Page.Size);
        Others = MemoryMap.Map(null, Page.Size, PROT_READ | PROT_WRITE, MAP_SHARED, _fd, 0);
        memory.MapFile(address, _fd, 0);
    }

    /// <summary>The page's bytes, written without a word to the guest's engine.</summary>
    public byte* Others { get; }

    /// <summary>Writes at an offset, as another process.</summary>
    public void Write(uint offset, params ReadOnlySpan<byte> bytes) => bytes.CopyTo(new Span<byte>(Others + offset, bytes.Length));

    public void Dispose()
    {
        MemoryMap.Unmap(Others, Page.Size);
        close(_fd);
    }
}
