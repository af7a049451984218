// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;

namespace Lguest.Launcher.Memory;

// [L:200] What the guest is told
// At physical address 0 lies the page that a boot loader fills on a PC: how much memory there is, where the initrd was put, and
// the words for the kernel from the command line. It is all that a guest knows of its machine before it makes its first call
// ([G:120]).
/// <summary>What the guest is told at physical address 0: its memory, its initrd, its command line (abi.md §1.2).</summary>
public static class BootInformation
{
    /// <summary>A command line as the bytes that the guest will see, NUL included.</summary>
    /// <param name="text">The command line.</param>
    /// <param name="longest">Bytes that the kernel accepts, without a NUL.</param>
    /// <exception cref="LaunchException">It is too long; a kernel would silently cut it.</exception>
    public static byte[] EncodeCommandLine(string text, int longest)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        if (bytes.Length > longest + 1)
            throw new LaunchException($"the guest's command line has {bytes.Length - 1} bytes; its kernel accepts {longest}");
        return bytes;
    }

    /// <summary>Writes it.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="layout">Who lives where.</param>
    /// <param name="commandLine">From <see cref="EncodeCommandLine"/>.</param>
    public static void Write(GuestMemory memory, GuestLayout layout, ReadOnlySpan<byte> commandLine)
    {
        memory.Write(0, layout.BootParametersEnd).Clear();
        switch (layout.Kernel.Series.Boot.Information)
        {
            case BootInformationKind.ZeroPage:
                WriteZeroPage(memory, layout, commandLine);
                break;
            case BootInformationKind.ZeroPageWithHeader:
                WriteHeader(memory, layout.Kernel.Header);
                WriteZeroPage(memory, layout, commandLine);
                break;
            case BootInformationKind.Seed:
                WriteSeed(memory, layout, commandLine);
                break;
        }
    }

    private static void WriteZeroPage(GuestMemory memory, GuestLayout layout, ReadOnlySpan<byte> commandLine)
    {
        uint entry = BootParameters.E820Entries;
        foreach (MemoryRange bank in layout.Banks.All)
        {
            memory.WriteValue(entry, new E820Entry { Address = bank.Start, Length = bank.Length, Type = E820Entry.Ram });
            entry += E820Entry.Size;
        }

        memory.WriteValue(BootParameters.E820Count, (byte)layout.Banks.All.Count);
        if (layout.InitrdLength > 0)
        {
            memory.WriteUInt32(BootParameters.InitrdAddress, (uint)layout.InitrdAddress);
            memory.WriteUInt32(BootParameters.InitrdSize, layout.InitrdLength);
            memory.WriteValue(BootParameters.LoaderType, BootParameters.LoaderTypeUnknown);
        }

        commandLine.CopyTo(memory.Write(BootParameters.CommandLine, (uint)commandLine.Length));
        memory.WriteUInt32(BootParameters.CommandLineAddress, BootParameters.CommandLine);
        memory.WriteUInt32(BootParameters.GuestType, BootParameters.GuestTypeLguest);
    }

    /// <summary>
    /// The kernel's own header, as a boot loader copies it: a kernel that unpacks itself finds its place by it. A vmlinux has none, and gets
    /// what the genuine launcher wrote.
    /// </summary>
    private static void WriteHeader(GuestMemory memory, BootHeader? header)
    {
        if (header != null)
        {
            ReadOnlySpan<byte> fields = header.ForZeroPage;
            fields.CopyTo(memory.Write(SetupHeader.SetupSectors, (uint)fields.Length));
        }
        else
        {
            memory.WriteValue(SetupHeader.Version, SetupHeader.FirstForGuests);
            memory.WriteUInt32(SetupHeader.Alignment, SetupHeader.DefaultAlignment);
        }

        byte flags = memory.ReadValue<byte>(SetupHeader.LoadFlags);
        memory.WriteValue(SetupHeader.LoadFlags, (byte)(flags | SetupHeader.KeepSegments));
        memory.WriteValue(BootParameters.LoaderType, BootParameters.LoaderTypeUnknown);
        memory.WriteUInt32(BootParameters.InitrdAddress, 0);
        memory.WriteUInt32(BootParameters.InitrdSize, 0);
    }

    private static void WriteSeed(GuestMemory memory, GuestLayout layout, ReadOnlySpan<byte> commandLine)
    {
        memory.WriteUInt32(OffsetOf(nameof(BootInfo200702.MaxPfn)), (uint)(layout.Banks.Lowest.Length >> Page.Shift));
        memory.WriteUInt32(OffsetOf(nameof(BootInfo200702.InitrdSize)), layout.InitrdLength);
        commandLine.CopyTo(memory.Write(OffsetOf(nameof(BootInfo200702.CommandLine)), (uint)commandLine.Length));
    }

    private static uint OffsetOf(string field) => (uint)Marshal.OffsetOf<BootInfo200702>(field);
}
