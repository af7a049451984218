// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Network;

/// <summary>What a network test may need that a machine may lack.</summary>
public enum NetNeed
{
    /// <summary>The right to make network namespaces with taps in them: root, ip(8), /dev/net/tun.</summary>
    Taps,

    /// <summary>passt(1).</summary>
    Passt,

    /// <summary>tcpdump(8).</summary>
    Tcpdump,

    /// <summary>setpriv(1) and unshare(1), to be somebody else for a while.</summary>
    OtherUser,
}

/// <summary>A test that needs out/lguest, our own guests, and something of the network.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NetFactAttribute : FactAttribute
{
    /// <summary>Skips, with the reason, when a need is not met.</summary>
    public NetFactAttribute(params NetNeed[] needs) =>
        Skip = Needs.WhyNot([Need.Launcher, Need.Guests]) ?? needs.Select(NetNeeds.WhyNot).FirstOrDefault(reason => reason != null);
}

/// <summary>A test with a real kernel and an initrd with busybox, and something of the network.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RealKernelNetFactAttribute : FactAttribute
{
    /// <summary>Skips, with the reason, when a need is not met.</summary>
    public RealKernelNetFactAttribute(params NetNeed[] needs) =>
        Skip = Needs.WhyNot([Need.Launcher, Need.Kernel, Need.Initrd]) ?? needs.Select(NetNeeds.WhyNot).FirstOrDefault(reason => reason != null);
}

/// <summary>Finds out whether a need is met.</summary>
public static class NetNeeds
{
    private static readonly Lazy<string?> s_taps = new(TryTaps);

    /// <summary>Null when it is, else why not.</summary>
    public static string? WhyNot(NetNeed need) => need switch
    {
        NetNeed.Taps => s_taps.Value,
        NetNeed.Passt => Program("passt"),
        NetNeed.Tcpdump => Program("tcpdump"),
        NetNeed.OtherUser => Program("setpriv") ?? Program("unshare") ?? OtherUser.WhyNot,
        _ => throw new ArgumentOutOfRangeException(nameof(need)),
    };

    private static string? Program(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':').Any(directory => File.Exists(Path.Combine(directory, name))) ? null : $"no {name} here";

    private static string? TryTaps()
    {
        if (Program("ip") is { } missing)
            return missing;
        if (Environment.UserName != "root")
            return "making network namespaces takes root";
        try
        {
            using NetworkNamespace probe = new();
            probe.Ip("tuntap", "add", "dev", "probe0", "mode", "tap");
            return null;
        }
        catch (Exception failure) when (failure is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return $"no taps in network namespaces here: {failure.Message.ReplaceLineEndings(" ")}";
        }
    }
}
