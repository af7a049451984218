// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

/// <summary>What there is between a guest and a share while it has it mounted.</summary>
/// <param name="share">The shared folder.</param>
internal sealed class NinePSession(SharedFolder share) : IDisposable
{
    /// <summary>Whether every change is refused.</summary>
    public bool IsReadOnly => share.IsReadOnly;

    /// <summary>Bytes of a message at most; as long as the guest has said nothing, as many as there is room for.</summary>
    public int LongestMessage { get; private set; } = NinePModel.LongestMessage;

    /// <summary>The files that are known.</summary>
    public NodeTree Tree { get; } = new(share);

    /// <summary>The guest's numbers for them.</summary>
    public FidTable Fids => field ??= new FidTable(Tree);

    /// <summary>Begins anew.</summary>
    /// <param name="longestMessage">Bytes of a message at most.</param>
    public void Restart(int longestMessage)
    {
        Fids.Clear();
        LongestMessage = longestMessage;
    }

    /// <summary>The qid of a file.</summary>
    public HostErrno QidOf(FileNode node, out Qid qid)
    {
        HostErrno error = node.Look(out FileStatus status);
        qid = error == 0 ? Qid.Of(Tree.Root, status) : default;
        return error;
    }

    /// <summary>Finds a number's folder, and a name in it, for a request that changes something.</summary>
    /// <param name="fid">The number.</param>
    /// <param name="text">The name.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="name">The name, as one.</param>
    /// <returns>0, or why the request is refused.</returns>
    public HostErrno Place(uint fid, ReadOnlySpan<byte> text, out FileNode folder, out FileName name)
    {
        folder = Tree.Root;
        name = null!;
        if (IsReadOnly)
            return HostErrno.EROFS;
        HostErrno error = FileName.Parse(text, out FileName? parsed);
        if (error != 0)
            return error;
        name = parsed!;
        if (Fids.Find(fid) is not { } found)
            return HostErrno.EBADF;
        folder = found.Node;
        return folder.IsFolder ? 0 : HostErrno.ENOTDIR;
    }

    /// <summary>Closes everything.</summary>
    public void Dispose() => Tree.Dispose();
}
