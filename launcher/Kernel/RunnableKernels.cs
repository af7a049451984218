// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Generations;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>
/// Which of the kernels that are recognized and loaded can be run, in the words of the messages. A series can be run when it has a
/// <see cref="Generation"/>; when all have one, this file is a sentence shorter.
/// </summary>
internal static class RunnableKernels
{
    /// <summary>The end of most refusals: what helps.</summary>
    public const string Remedy = "only Linux 2.6.23 and 4.0 to 4.13, built with CONFIG_LGUEST_GUEST=y, run here";

    /// <summary>Refuses a kernel that is understood, and that no engine runs yet.</summary>
    /// <exception cref="LaunchException">It is one.</exception>
    public static void Check(KernelImage kernel)
    {
        if (kernel.Series.Generation != null)
            return;
        string bus = kernel.Series.Devices == DeviceBusKind.Pci ? "virtio on PCI" : "virtio on the lguest bus";
        throw new LaunchException(
            $"kernel '{kernel.Path}' is Linux {kernel.Release}, which is recognized but cannot be run yet: neither the hypercalls of its interface ({kernel.Series}) nor its devices ({bus}) are served; {Remedy}");
    }
}
