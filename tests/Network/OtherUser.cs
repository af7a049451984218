// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Support;

namespace Lguest.Tests.Network;

/// <summary>Being somebody without rights for a while.</summary>
internal static class OtherUser
{
    /// <summary>The number of the user who owns nothing.</summary>
    public const string Nobody = "65534";

    private static readonly Lazy<string?> s_whyNot = new(Try);

    /// <summary>Put in front of a program, it runs as nobody and can get no capability, whoever runs the test.</summary>
    public static string[] WithoutPrivileges => ["setpriv", "--reuid=" + Nobody, "--regid=" + Nobody, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];

    /// <summary>Null when that can be had, else why not.</summary>
    public static string? WhyNot => s_whyNot.Value;

    private static string? Try()
    {
        if (Environment.UserName != "root")
            return "becoming somebody else takes root";
        try
        {
            NetworkNamespace.Tool("setpriv", [.. WithoutPrivileges[1..], Needs.LauncherPath, "--version"]);
            return null;
        }
        catch (Exception failure) when (failure is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return $"nobody cannot run out/lguest here: {failure.Message.ReplaceLineEndings(" ")}";
        }
    }
}
