// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Share;

/// <summary>
/// The host's side of a share: a folder, opened once. Whatever the guest asks for is looked up from this descriptor, so the folder stays
/// the same when somebody renames it.
/// </summary>
public sealed unsafe class SharedFolder : IDisposable
{
    private SharedFolder(string path, int descriptor, bool readOnly, DescriptorBudget budget)
    {
        Path = path;
        Descriptor = descriptor;
        IsReadOnly = readOnly;
        Budget = budget;
    }

    /// <summary>Its name, as the user wrote it.</summary>
    public string Path { get; }

    /// <summary>Whether the guest may only read.</summary>
    public bool IsReadOnly { get; }

    /// <summary>Descriptors that the guest's files may take.</summary>
    public DescriptorBudget Budget { get; }

    /// <summary>The folder, opened by O_PATH.</summary>
    public int Descriptor { get; private set; }

    /// <summary>Opens a folder to share it.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="readOnly">Refuse every change.</param>
    /// <param name="budget">Descriptors that the guest's files may take, in this share and others.</param>
    /// <exception cref="DeviceException">It cannot be shared; the message says why.</exception>
    public static SharedFolder Open(string path, bool readOnly, DescriptorBudget budget)
    {
        if (!BeneathOpen.IsReady || !PathAttributes.IsReady)
            throw new DeviceException($"cannot share '{path}': there is no memory for what a sandbox must know of it");
        int folder = Folder.Open(path);
        if (folder < 0)
            throw new DeviceException($"cannot share '{path}': {Why((HostErrno)(-folder))}");
        int list;
        fixed (byte* itself = "."u8)
            list = BeneathOpen.Open(folder, itself, BeneathUse.List);
        if (list < 0)
        {
            _ = close(folder);
            throw new DeviceException($"cannot share '{path}': {WhyNot((HostErrno)(-list))}");
        }

        _ = close(list);
        return new SharedFolder(path, folder, readOnly, budget);
    }

    /// <summary>Closes it.</summary>
    public void Dispose()
    {
        if (Descriptor >= 0)
            _ = close(Descriptor);
        Descriptor = -1;
    }

    /// <summary>The sentence for a host on which a folder is there, and cannot be opened the way that shares need.</summary>
    internal static string WhyNot(HostErrno error) => error switch
    {
        HostErrno.ENOSYS => "this kernel has no openat2, without which a guest could leave the folder; shares need Linux 5.6 or later",
        HostErrno.EPERM => "the system call openat2 is forbidden here, as containers with old rules do; allow it, or start lguest outside",
        _ => Why(error),
    };

    private static string Why(HostErrno error) => error switch
    {
        HostErrno.ENOENT => "there is no such folder",
        HostErrno.ENOTDIR => "it is not a folder",
        HostErrno.EACCES => "permission denied",
        _ => HostMessage.Of(error),
    };
}
