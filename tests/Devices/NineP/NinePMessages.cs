// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.NineP;

namespace Lguest.Tests.Devices.NineP;

/// <summary>One message of each kind that makes sense: fid 1 is the root, 2 an opened file and 3 an opened folder.</summary>
internal static class NinePMessages
{
    /// <summary>Every one.</summary>
    public static IReadOnlyList<byte[]> All { get; } =
    [
        Of(NinePMessage.Version, 8192u, NinePFormat.Version),
        Of(NinePMessage.Attach, 9u, NinePFormat.NoFid, "nobody", string.Empty, 0u),
        Of(NinePMessage.Walk, 1u, 9u, (ushort)2, "inner", "deep"),
        Of(NinePMessage.Walk, 1u, 9u, (ushort)2, "inner", ".."),
        Of(NinePMessage.Open, 9u, (uint)NinePOpen.ReadWrite),
        Of(NinePMessage.Create, 1u, "new", (uint)NinePOpen.ReadWrite, 0x1A4u, 0u),
        Of(NinePMessage.Read, 2u, 0ul, 100u),
        Of(NinePMessage.Write, 2u, 0ul, 4u, new byte[4]),
        Of(NinePMessage.Clunk, 9u),
        Of(NinePMessage.Remove, 9u),
        Of(NinePMessage.Sync, 2u, 0u),
        Of(NinePMessage.Flush, (ushort)1),
        Of(NinePMessage.ReadFolder, 3u, 0ul, 1000u),
        Of(NinePMessage.GetAttributes, 2u, NinePFormat.BasicAttributes),
        Of(NinePMessage.SetAttributes, 2u, (uint)(NinePChange.Mode | NinePChange.Size | NinePChange.ModifyTime), 0x1A4u, 0u, 0u, 7ul, 0ul, 0ul, 0ul, 0ul),
        Of(NinePMessage.StatFs, 1u),
        Of(NinePMessage.ReadLink, 2u),
        Of(NinePMessage.MakeFolder, 1u, "folder", 0x1EDu, 0u),
        Of(NinePMessage.MakeNode, 1u, "pipe", 0x11A4u, 0u, 0u, 0u),
        Of(NinePMessage.Symlink, 1u, "link", "../secret", 0u),
        Of(NinePMessage.Link, 1u, 2u, "second"),
        Of(NinePMessage.RenameAt, 1u, "file", 3u, "moved"),
        Of(NinePMessage.Rename, 2u, 3u, "moved"),
        Of(NinePMessage.UnlinkAt, 1u, "file", 0u),
        Of(NinePMessage.UnlinkAt, 1u, "folder", NinePFormat.RemoveFolder),
        Of(NinePMessage.Lock, 2u, (byte)1, 0u, 0ul, 0ul, 1u, "guest"),
        Of(NinePMessage.GetLock, 2u, (byte)1, 0ul, 0ul, 1u, "guest"),
        Of(NinePMessage.ExtendedWalk, 1u, 9u, "user.x"),
    ];

    private static byte[] Of(NinePMessage kind, params ReadOnlySpan<object> fields) => NinePClient.Message(kind, fields);
}
