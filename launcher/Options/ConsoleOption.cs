// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Sockets;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>Where the guest's console is.</summary>
public abstract record ConsoleOption
{
    private ConsoleOption()
    {
    }

    /// <summary>On standard input and output.</summary>
    public sealed record Standard : ConsoleOption;

    /// <summary>Output goes to a file; input still comes from standard input.</summary>
    public sealed record ToFile(string Path) : ConsoleOption;

    /// <summary>On a Unix socket, for one client at a time.</summary>
    public sealed record OnSocket(SocketAddress Address) : ConsoleOption;

    /// <summary>On a new pseudo-terminal.</summary>
    public sealed record OnPseudoTerminal : ConsoleOption;

    /// <summary>Understands the value of --console.</summary>
    /// <exception cref="LaunchException">It makes no sense.</exception>
    public static ConsoleOption Parse(string value) => value switch
    {
        "" => throw new LaunchException("--console needs a place: --console=FILE, --console=unix:PATH or --console=pty"),
        "pty" => new OnPseudoTerminal(),
        _ when value.StartsWith("unix:", StringComparison.Ordinal) => new OnSocket(SocketAddress.ParseUnix("console", value)),
        _ => new ToFile(value),
    };
}
