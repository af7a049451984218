// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Kernel;

/// <summary>Which kernels can be run, in the words of the messages.</summary>
internal static class RunnableKernels
{
    /// <summary>The end of most refusals: what helps.</summary>
    public const string Remedy = "only Linux 2.6.23 to 4.13 built with CONFIG_LGUEST_GUEST=y runs here";
}
