// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

/// <summary>
/// The request that lists a folder: the host's entries, put in the guest's form. An entry says at which place the next one begins; the
/// guest asks for more from there, so nothing is remembered between two requests.
/// </summary>
internal static class ListRequest
{
    /// <summary>Bytes of the host's entries that are asked for at once: more than a guest takes in one message.</summary>
    private const int MostAtOnce = 1 << 16;

    // struct linux_dirent64
    private const int PlaceOffset = 8;
    private const int LengthOffset = 16;
    private const int KindOffset = 18;
    private const int NameOffset = 19;

    private const byte HostFolder = 4;
    private const byte HostLink = 10;

    /// <summary>Answers it.</summary>
    public static HostErrno List(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ulong place = request.Quad();
        uint count = request.Double();
        if (!request.IsWhole || place > long.MaxValue)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number)?.Opening is not { } opening)
            return HostErrno.EBADF;
        if (!opening.Node.IsFolder)
            return HostErrno.ENOTDIR;
        if (answer.Rest.Length < sizeof(uint))
            return HostErrno.EMSGSIZE;
        Span<byte> room = answer.Rest[sizeof(uint)..];
        room = room[..(int)Math.Min(count, (uint)room.Length)];

        // Entries are a few bytes shorter there: as many bytes of them as there is room for come close.
        Span<byte> entries = new byte[Math.Clamp(room.Length, MinimumRoom, MostAtOnce)];
        int bytes = opening.List((long)place, entries);
        if (bytes < 0)
            return (HostErrno)(-bytes);
        int written = Convert(session, opening.Node, entries[..bytes], room);

        // Nothing at all means that the folder is at its end.
        if (written == 0 && bytes > 0)
            return HostErrno.EINVAL;
        answer.Double((uint)written);
        answer.Advance(written);
        return 0;
    }

    /// <summary>Room for the longest entry.</summary>
    private const int MinimumRoom = 512;

    private static int Convert(NinePSession session, FileNode folder, ReadOnlySpan<byte> entries, Span<byte> room)
    {
        const int fixedBytes = 13 + 8 + 1 + 2;
        int written = 0;
        while (entries.Length > NameOffset)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(entries[LengthOffset..]);
            ReadOnlySpan<byte> name = entries[NameOffset..length];
            name = name[..name.IndexOf((byte)0)];
            if (fixedBytes + name.Length > room.Length - written)
                break;
            byte kind = entries[KindOffset];
            ulong inode = BinaryPrimitives.ReadUInt64LittleEndian(entries);

            // What is above the share is not the guest's to know.
            if (folder == session.Tree.Root && name.SequenceEqual(".."u8))
                inode = folder.Identity.Inode;
            Span<byte> target = room[written..];
            target[0] = kind switch { HostFolder => NinePFormat.FolderKind, HostLink => NinePFormat.LinkKind, _ => 0 };
            BinaryPrimitives.WriteUInt32LittleEndian(target[1..], 0);
            BinaryPrimitives.WriteUInt64LittleEndian(target[5..], Qid.PathOf(session.Tree.Root, folder.Identity.Device, inode));
            BinaryPrimitives.WriteUInt64LittleEndian(target[13..], BinaryPrimitives.ReadUInt64LittleEndian(entries[PlaceOffset..]));
            target[21] = kind;
            BinaryPrimitives.WriteUInt16LittleEndian(target[22..], (ushort)name.Length);
            name.CopyTo(target[fixedBytes..]);
            written += fixedBytes + name.Length;
            entries = entries[length..];
        }

        return written;
    }
}
