// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>What something in a folder is opened for.</summary>
internal enum BeneathUse
{
    /// <summary>To be named in other calls (O_PATH), and nothing else: works for every kind of file, and opens none.</summary>
    Look,

    /// <summary>To list it: a folder.</summary>
    List,

    /// <summary>To read.</summary>
    Read,

    /// <summary>To write.</summary>
    Write,

    /// <summary>To read and write.</summary>
    ReadWrite,

    /// <summary>To write at the end.</summary>
    Append,

    /// <summary>To read anywhere, and write at the end.</summary>
    ReadAppend,

    /// <summary>As <see cref="Read"/>; it is made, for the owner alone, and must not have been there.</summary>
    NewRead,

    /// <summary>As <see cref="Write"/>, and made.</summary>
    NewWrite,

    /// <summary>As <see cref="ReadWrite"/>, and made.</summary>
    NewReadWrite,

    /// <summary>As <see cref="Append"/>, and made.</summary>
    NewAppend,

    /// <summary>As <see cref="ReadAppend"/>, and made.</summary>
    NewReadAppend,
}

/// <summary>
/// openat2(2), which Tmds.LibC has not: opens what has a name in a folder, and nothing else. No name, no link and nobody who moves
/// folders meanwhile makes it leave the folder (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS), and it waits for nobody at
/// a pipe (O_NONBLOCK). What it is to do is in <see cref="HeldNames"/>: a sandbox's filter can insist on these instructions, so that even
/// whoever gets out of the engine can open nothing but what is below a folder that is open.
/// </summary>
public static unsafe class BeneathOpen
{
    /// <summary>The call's number.</summary>
    public const int Call = 437;

    /// <summary>Bytes of struct open_how.</summary>
    public const int HowSize = 24;

    private const int O_NOFOLLOW = 0x2_0000;
    private const ulong NoMagicLinks = 2;
    private const ulong NoSymlinks = 4;
    private const ulong Beneath = 8;

    /// <summary>Read and write for the owner: what else there is to be, the caller sets when it has seen what was made.</summary>
    private const ulong OwnersOnly = 0x180;

    private static readonly nint s_hows = HoldHows();

    /// <summary>Whether there are instructions. They are made when this is first asked; a sealed launcher is too late.</summary>
    public static bool IsReady => s_hows != 0;

    /// <summary>Opens.</summary>
    /// <param name="folder">A folder's descriptor.</param>
    /// <param name="name">One name in it, or <c>.</c>, with a zero after it.</param>
    /// <param name="use">What for.</param>
    /// <returns>A descriptor, or a negated error number.</returns>
    internal static int Open(int folder, byte* name, BeneathUse use)
    {
        while (true)
        {
            long fd = (Tmds.Linux.ssize_t)syscall(Call, folder, name, (How*)s_hows + (int)use, HowSize);
            if (fd >= 0)
                return (int)fd;
            int error = errno;

            // EAGAIN: somebody moves folders so fast that the kernel cannot be sure; EINTR: a slow file system was interrupted.
            if (error != EINTR && error != EAGAIN)
                return -error;
        }
    }

    private static nint HoldHows()
    {
        How[] hows = new How[(int)BeneathUse.NewReadAppend + 1];
        for (int i = 0; i < hows.Length; i++)
            hows[i] = HowOf((BeneathUse)i);
        return HeldNames.Hold(MemoryMarshal.AsBytes(hows.AsSpan()));
    }

    private static How HowOf(BeneathUse use)
    {
        int flags = use switch
        {
            BeneathUse.Look => O_PATH,
            BeneathUse.List => O_RDONLY | O_DIRECTORY,
            BeneathUse.Read or BeneathUse.NewRead => O_RDONLY,
            BeneathUse.Write or BeneathUse.NewWrite => O_WRONLY,
            BeneathUse.ReadWrite or BeneathUse.NewReadWrite => O_RDWR,
            BeneathUse.Append or BeneathUse.NewAppend => O_WRONLY | O_APPEND,
            _ => O_RDWR | O_APPEND,
        };
        if (use != BeneathUse.Look)
            flags |= O_NONBLOCK | O_NOCTTY;
        bool isNew = use >= BeneathUse.NewRead;
        if (isNew)
            flags |= O_CREAT | O_EXCL;
        return new How
        {
            Flags = (uint)(flags | O_CLOEXEC | O_NOFOLLOW),
            Mode = isNew ? OwnersOnly : 0,
            Resolve = NoMagicLinks | NoSymlinks | Beneath,
        };
    }

    /// <summary>struct open_how.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct How
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }
}
