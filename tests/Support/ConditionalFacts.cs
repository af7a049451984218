// SPDX-License-Identifier: GPL-2.0-or-later
using Xunit;

namespace Lguest.Tests.Support;

/// <summary>What a test may need that a machine may lack. A missing thing is a skipped test with a reason, never a green one.</summary>
public enum Need
{
    /// <summary>out/lguest, built by make.</summary>
    Launcher,

    /// <summary>Our own guests under out/guest, built by make with gcc.</summary>
    Guests,

    /// <summary>A host that the translator runs on.</summary>
    Translator,

    /// <summary>A real 2.6.23 kernel, named by LGUEST_TEST_KERNEL.</summary>
    Kernel,

    /// <summary>LGUEST_TEST_INITRD as well: an initrd with a shell.</summary>
    Initrd,

    /// <summary>LGUEST_TEST_ROOT as well: an ext2 root disk with a shell as /sbin/init.</summary>
    RootDisk,

    /// <summary>gdb on the path.</summary>
    Gdb,

    /// <summary>chromium on the path: a browser that runs without a screen.</summary>
    Chromium,

    /// <summary>bash on the path.</summary>
    Bash,

    /// <summary>zsh on the path.</summary>
    Zsh,

    /// <summary>fish on the path.</summary>
    Fish,

    /// <summary>make on the path.</summary>
    Make,

    /// <summary>dpkg-deb on the path.</summary>
    DpkgDeb,

    /// <summary>umoci on the path.</summary>
    Umoci,

    /// <summary>cpio on the path.</summary>
    Cpio,

    /// <summary>qemu-img and qemu-io on the path.</summary>
    QemuImg,

    /// <summary>out/lguest with all that was published beside it, no link to another build.</summary>
    Publication,

    /// <summary>out/lguest as NativeAOT makes it.</summary>
    NativeProgram,

    /// <summary>Being root: for other users and their limits.</summary>
    Root,

    /// <summary>Not being root: file permissions mean nothing to root.</summary>
    OrdinaryUser,
}

/// <summary>Finds out whether a need is met. xunit 2 asks at discovery, before the test runs.</summary>
public static class Needs
{
    /// <summary>The folder of the solution.</summary>
    public static string Root => FindRoot();

    /// <summary>Where make puts things.</summary>
    public static string OutDirectory => Environment.GetEnvironmentVariable("LGUEST_OUT") ?? Path.Combine(Root, "out");

    /// <summary>The launcher that make built.</summary>
    public static string LauncherPath => Path.Combine(OutDirectory, "lguest");

    /// <summary>Whether it is one native program, and not one with a runtime beside it.</summary>
    public static bool IsNative => !File.Exists(Path.ChangeExtension(File.ResolveLinkTarget(LauncherPath, returnFinalTarget: true)?.FullName ?? LauncherPath, "dll"));

    /// <summary>One of our guests, such as demo or conformance/entry.</summary>
    public static string Guest(string name) => Path.Combine(OutDirectory, "guest", name);

    /// <summary>The engines of this host, as --engine takes them.</summary>
    public static IReadOnlyList<string> Engines =>
        Lguest.Engine.Translator.TranslatorCore.IsSupported ? ["interpreter", "translator", "check"] : ["interpreter"];

    /// <summary>Null when all needs are met, else why not.</summary>
    public static string? WhyNot(Need[] needs)
    {
        foreach (Need need in needs)
        {
            string? reason = need switch
            {
                Need.Launcher => File.Exists(LauncherPath) ? null : $"no {LauncherPath} (run make)",
                Need.Guests => Directory.Exists(Guest("conformance")) ? null : $"no guests in {OutDirectory}/guest (run make; it takes gcc)",
                Need.Translator => Lguest.Engine.Translator.TranslatorCore.IsSupported ? null : "the translator needs x86-64 with FSGSBASE",
                Need.Kernel => Variable("LGUEST_TEST_KERNEL"),
                Need.Initrd => Variable("LGUEST_TEST_INITRD"),
                Need.RootDisk => Variable("LGUEST_TEST_ROOT"),
                Need.Gdb => OnPath("gdb"),
                Need.Chromium => OnPath("chromium"),
                Need.Bash => OnPath("bash"),
                Need.Zsh => OnPath("zsh"),
                Need.Fish => OnPath("fish"),
                Need.Make => OnPath("make"),
                Need.DpkgDeb => OnPath("dpkg-deb"),
                Need.Umoci => OnPath("umoci"),
                Need.Cpio => OnPath("cpio"),
                Need.QemuImg => OnPath("qemu-img", "qemu-utils"),
                Need.Publication => new FileInfo(LauncherPath) is { Exists: true, LinkTarget: null } ? null : $"{LauncherPath} is not what make published",
                Need.NativeProgram => File.Exists(LauncherPath + ".dbg") ? null : $"{LauncherPath} was not published by the NativeAOT compiler",
                Need.Root => Environment.UserName == "root" ? null : "needs root",
                Need.OrdinaryUser => Environment.UserName == "root" ? "root may read everything" : null,
                _ => throw new ArgumentOutOfRangeException(nameof(needs)),
            };
            if (reason != null)
                return reason;
        }

        return null;
    }

    private static string? OnPath(string program, string? package = null) =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':').Any(directory => File.Exists(Path.Combine(directory, program)))
            ? null
            : $"no {program} (apt-get install {package ?? program})";

    /// <summary>Null when an environment variable names a file, else why not.</summary>
    internal static string? Variable(string name) => Environment.GetEnvironmentVariable(name) switch
    {
        null or "" => $"{name} is not set",
        string path when !File.Exists(path) => $"{name} names a file that is not there: {path}",
        _ => null,
    };

    internal static string FindRoot()
    {
        for (string? directory = AppContext.BaseDirectory; directory != null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, "Lguest.sln")))
                return directory;
        }

        return Environment.CurrentDirectory;
    }
}

/// <summary>A test that needs something.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactNeedingAttribute : FactAttribute
{
    /// <summary>Skips, with the reason, when a need is not met.</summary>
    public FactNeedingAttribute(params Need[] needs) => Skip = Needs.WhyNot(needs);
}

/// <summary>A theory that needs something.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TheoryNeedingAttribute : TheoryAttribute
{
    /// <summary>Skips, with the reason, when a need is not met.</summary>
    public TheoryNeedingAttribute(params Need[] needs) => Skip = Needs.WhyNot(needs);
}

/// <summary>A test that needs a file which an environment variable names.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactNeedingFileAttribute : FactAttribute
{
    /// <summary>Skips, with the reason, when there is none.</summary>
    /// <param name="variable">The variable.</param>
    public FactNeedingFileAttribute(string variable) => Skip = Needs.Variable(variable);
}
