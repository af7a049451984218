// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// Landlock (landlock(7)): from some moment on a thread opens only files below the directories that were named, whatever the
/// permissions say, and connects to no TCP port. Files opened before stay open. The kernel says how much of it there is by an ABI
/// number; what a kernel does not have is not asked for.
/// </summary>
internal sealed unsafe class Landlock : IDisposable
{
    /// <summary>May be read.</summary>
    public const ulong ReadFile = 1 << 2;

    /// <summary>May be listed.</summary>
    public const ulong ReadDirectory = 1 << 3;

    /// <summary>Empty directories below may be removed.</summary>
    public const ulong RemoveDirectory = 1 << 4;

    /// <summary>Files and sockets below may be removed.</summary>
    public const ulong RemoveFile = 1 << 5;

    /// <summary>Files below may be read, written, made, removed, moved and linked; pipes, folders and links may be made. No devices, and nothing is executed.</summary>
    public const ulong Change = ReadFile | ReadDirectory | RemoveDirectory | RemoveFile | WriteFile | MakeDirectory | MakeFile | MakePipe | MakeLink | Refer | Truncate;

    private const ulong WriteFile = 1 << 1;
    private const ulong MakeDirectory = 1 << 7;
    private const ulong MakeFile = 1 << 8;
    private const ulong MakePipe = 1 << 10;
    private const ulong MakeLink = 1 << 12;

    /// <summary>EXECUTE, WRITE_FILE, the four above, and MAKE_CHAR to MAKE_SYM.</summary>
    private const ulong FirstRights = (1 << 13) - 1;

    private const ulong Refer = 1 << 13;
    private const ulong Truncate = 1 << 14;
    private const ulong DeviceControl = 1 << 15;
    private const ulong BindTcp = 1 << 0;
    private const ulong ConnectTcp = 1 << 1;
    private const ulong ScopeAbstractSockets = 1 << 0;
    private const ulong ScopeSignals = 1 << 1;
    private const int PathBeneath = 1;
    private const int AskVersion = 1;
    private const int AskErrata = 2;

    /// <summary>Erratum 2: before it was corrected, the scope of signals kept threads of one process from each other.</summary>
    private const long SignalErratum = 1 << 1;

    private readonly int _ruleset;
    private readonly ulong _handled;

    private Landlock(int ruleset, int abi, ulong handled)
    {
        _ruleset = ruleset;
        _handled = handled;
        Abi = abi;
    }

    /// <summary>The kernel's ABI number.</summary>
    public int Abi { get; }

    /// <summary>The call with which a thread submits to the rules. It needs no_new_privs.</summary>
    public ThreadCall Restrict => new(SandboxCalls.LandlockRestrictSelf, _ruleset, 0, 0, 0, 0, 0);

    /// <summary>Makes a set of rules that allows nothing.</summary>
    /// <param name="whyNot">Why there is none.</param>
    /// <returns>Null when the kernel has no Landlock, or it is switched off.</returns>
    public static Landlock? Create(out string whyNot)
    {
        whyNot = string.Empty;
        long abi = SandboxCalls.Call(SandboxCalls.LandlockCreateRuleset, 0, 0, AskVersion);
        if (abi <= 0)
        {
            whyNot = "this kernel has no Landlock, or it is switched off";
            return null;
        }

        Attributes attributes = new() { Files = FirstRights };
        if (abi >= 2)
            attributes.Files |= Refer;
        if (abi >= 3)
            attributes.Files |= Truncate;
        if (abi >= 4)
            attributes.Network = BindTcp | ConnectTcp;
        if (abi >= 5)
            attributes.Files |= DeviceControl;
        if (abi >= 6)
        {
            attributes.Scopes = ScopeAbstractSockets;
            long corrected = SandboxCalls.Call(SandboxCalls.LandlockCreateRuleset, 0, 0, AskErrata);
            if (corrected > 0 && (corrected & SignalErratum) != 0)
                attributes.Scopes |= ScopeSignals;
        }

        // A kernel takes a structure that is longer than the one it knows as long as the rest is zero.
        long ruleset = SandboxCalls.Call(SandboxCalls.LandlockCreateRuleset, (nint)(&attributes), sizeof(Attributes), 0);
        if (ruleset >= 0)
            return new Landlock((int)ruleset, (int)abi, attributes.Files);
        whyNot = $"this kernel refuses Landlock's rules: {Marshal.GetPInvokeErrorMessage(-(int)ruleset)}";
        return null;
    }

    /// <summary>Allows something to a file, or to all below a directory.</summary>
    /// <param name="path">Which; one that is not there is left out.</param>
    /// <param name="rights">What; for a file only <see cref="ReadFile"/>.</param>
    /// <returns>Whether it is there.</returns>
    /// <exception cref="Win32Exception">The kernel refuses the rule.</exception>
    public bool Allow(string path, ulong rights)
    {
        // The file itself is not opened, only named.
        int fd;
        fixed (byte* name = PathBytes.Of(path))
            fd = open(name, O_PATH | O_CLOEXEC, 0);
        if (fd < 0)
            return false;
        try
        {
            Allow(fd, rights, path);
            return true;
        }
        finally
        {
            _ = close(fd);
        }
    }

    /// <summary>Allows something to all below an opened directory.</summary>
    /// <param name="directory">Its descriptor.</param>
    /// <param name="rights">What; rights that this kernel does not know are not withheld by it, nor given.</param>
    /// <param name="name">Its name, for a message.</param>
    /// <exception cref="Win32Exception">The kernel refuses the rule.</exception>
    public void Allow(int directory, ulong rights, string name)
    {
        Beneath rule = new() { Rights = rights & _handled, Parent = directory };
        long answer = SandboxCalls.Call(SandboxCalls.LandlockAddRule, _ruleset, PathBeneath, (nint)(&rule), 0);
        if (answer < 0)
            throw new Win32Exception(-(int)answer, $"Landlock refuses a rule for '{name}': {Marshal.GetPInvokeErrorMessage(-(int)answer)}");
    }

    /// <inheritdoc/>
    public void Dispose() => _ = close(_ruleset);

    /// <summary>struct landlock_ruleset_attr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Attributes
    {
        public ulong Files;
        public ulong Network;
        public ulong Scopes;
    }

    /// <summary>struct landlock_path_beneath_attr.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct Beneath
    {
        public ulong Rights;
        public int Parent;
    }
}
