// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Lguest.Devices.Backends.Share;
using Lguest.Devices.Models.NineP;
using Lguest.Devices.Native;
using Lguest.GuestAbi.NineP;
using Lguest.Launcher.Common;
using Lguest.Launcher.Sandbox;
using Lguest.Tests.Devices.NineP;
using static Tmds.Linux.LibC;

namespace Lguest.Tests.Sandbox;

/// <summary>
/// A launcher's process that has a share and is sealed: first all that a guest may do with the share, then what somebody tries who got
/// out of the engine, with the descriptors and the memory that are there.
/// </summary>
internal static unsafe class SealedShare
{
    /// <summary>The one access that changes nothing.</summary>
    public const string ReadOnly = "ro";

    private const int OpenHowRead = 2;
    private const int CurrentDirectory = -100;

    /// <summary>Runs in a process of its own.</summary>
    /// <param name="directory">Where <c>secret</c> and <c>share</c> are.</param>
    /// <param name="access"><see cref="ReadOnly"/>, or anything else.</param>
    public static int Run(string directory, string access)
    {
        using SharedFolder folder = SharedFolder.Open(directory + "/share", access == ReadOnly, new DescriptorBudget());
        using NinePModel model = new(folder, "test");
        SealReport report = Seal.Apply(new SealNeeds { Folders = [folder], HeldNames = HeldNames.Range });
        NinePClient client = new NinePClient(model).Mount();
        Use(client, access != ReadOnly);
        bool hasLandlock = report.ToString().Contains("Landlock (ABI", StringComparison.Ordinal);
        Try(directory, folder.Descriptor, access != ReadOnly && hasLandlock);
        return 0;
    }

    private static void Use(NinePClient client, bool changes)
    {
        Assert.Equal(0, (int)client.Walk(1, 2, "inner", "deep"));
        Assert.Equal(0, (int)client.Open(2, changes ? NinePOpen.ReadWrite | NinePOpen.Append : NinePOpen.Read));
        Assert.Equal("deep content", client.Read(2));
        client.Must(NinePMessage.StatFs, 2u);
        client.Walk(1, 3);
        Assert.Equal(0, (int)client.Open(3, NinePOpen.Read));
        Assert.Contains("file", client.List(3, 1000));
        client.Walk(1, 4, "link");
        Assert.Equal("../secret", client.Must(NinePMessage.ReadLink, 4u).Text());
        if (!changes)
            return;
        Assert.Equal(0, (int)client.Write(2, 12, "!"));
        client.Must(NinePMessage.Sync, 2u, 0u);
        Assert.Equal(0, (int)client.Change(2, NinePChange.Mode, 0x1B6));
        Assert.Equal(0, (int)client.Change(2, NinePChange.ModifyTime | NinePChange.ModifyTimeGiven, modified: 1_000_000_000));
        Assert.Equal(0, (int)client.Change(4, NinePChange.ModifyTime | NinePChange.ModifyTimeGiven, modified: 1_000_000_000));
        Assert.Equal(0, (int)client.Change(2, NinePChange.Size, size: 4));
        Assert.Equal(0, (int)client.Change(2, NinePChange.Owner, user: geteuid()));
        client.Walk(1, 5);
        Assert.Equal(0, (int)client.Create(5, "new", NinePOpen.ReadWrite | NinePOpen.DataSync, 0x1B6));
        Assert.Equal(0, (int)client.Write(5, 0, "new"));
        client.Must(NinePMessage.Link, 1u, 5u, "second");
        client.Walk(1, 9, "inner");
        client.Must(NinePMessage.RenameAt, 1u, "second", 9u, "second");
        client.Must(NinePMessage.MakeFolder, 1u, "folder", 0x1FFu, 0u);
        client.Must(NinePMessage.MakeNode, 1u, "pipe", 0x11B6u, 0u, 0u, 0u);
        client.Must(NinePMessage.Symlink, 1u, "link2", "file", 0u);
        client.Must(NinePMessage.UnlinkAt, 1u, "file", 0u);
        client.Must(NinePMessage.UnlinkAt, 1u, "pipe", 0u);
        client.Must(NinePMessage.UnlinkAt, 1u, "folder", NinePFormat.RemoveFolder);
    }

    /// <param name="directory">As before.</param>
    /// <param name="share">The share's descriptor.</param>
    /// <param name="sees">Names reach Landlock, and it decides.</param>
    private static void Try(string directory, int share, bool sees)
    {
        byte[] secret = Text(directory + "/secret");
        byte[] other = Text(directory + "/other");

        // They were the first to be held.
        byte* how = (byte*)HeldNames.Range.Start + (OpenHowRead * BeneathOpen.HowSize);
        byte[] own = new byte[BeneathOpen.HowSize];
        fixed (byte* path = secret, to = other, up = Text("../secret"), name = Text("x"), made = Text("new"), mine = own)
        {
            Tried("openat2 as somebody likes", (long)(Tmds.Linux.ssize_t)syscall(BeneathOpen.Call, share, path, mine, BeneathOpen.HowSize));
            Tried("openat2 from the current directory", (long)(Tmds.Linux.ssize_t)syscall(BeneathOpen.Call, CurrentDirectory, name, how, BeneathOpen.HowSize));
            Tried("openat2 upwards", (long)(Tmds.Linux.ssize_t)syscall(BeneathOpen.Call, share, up, how, BeneathOpen.HowSize));
            Tried("openat2 absolute", (long)(Tmds.Linux.ssize_t)syscall(BeneathOpen.Call, share, path, how, BeneathOpen.HowSize));
            Tried("mkdirat in the current directory", mkdirat(CurrentDirectory, name, (Tmds.Linux.mode_t)0x1C0));
            Tried("mode of another file", (long)(Tmds.Linux.ssize_t)syscall(452, share, path, 0x1FF, 0));
            Tried("owner of another file", fchownat(share, path, 1u, 1u, 0));
            Tried("times of another file", utimensat(share, path, null, 0));
            Tried("a device", (long)(Tmds.Linux.ssize_t)syscall(259, share, name, 0x2180, 0x103));
            Tried("a link in the current directory", symlinkat(path, CurrentDirectory, name));
            if (!sees)
            {
                Tried("mkdirat in a share that is read-only", mkdirat(share, name, (Tmds.Linux.mode_t)0x1C0));
                return;
            }

            Tried("mkdirat absolute", mkdirat(share, to, (Tmds.Linux.mode_t)0x1C0));
            Tried("unlinkat absolute", unlinkat(share, path, 0));
            Tried("unlinkat upwards", unlinkat(share, up, 0));
            Tried("renameat out of its folder", Renaming.renameat(share, path, share, name));
            Tried("renameat into another folder", Renaming.renameat(share, made, share, to));
            Tried("linkat of another file", linkat(share, path, share, name, 0));
            Tried("symlinkat elsewhere", symlinkat(path, share, to));
        }
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text + "\0");

    private static void Tried(string what, long result) =>
        HostOutput.Write(1, string.Create(CultureInfo.InvariantCulture, $"tried: {what}: {(result < 0 ? -errno : result)}\n"));
}
