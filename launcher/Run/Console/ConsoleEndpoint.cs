// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Inspect.Sockets;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;

namespace Lguest.Launcher.Run.Console;

/// <summary>The host's end of the console that <c>--console</c> asks for: two descriptors for the guest's console port.</summary>
public sealed class ConsoleEndpoint : IDisposable
{
    private const int StandardInput = 0;
    private const int StandardOutput = 1;

    private readonly ConsoleRelay? _relay;

    private ConsoleEndpoint(int input, int output)
    {
        InputDescriptor = input;
        OutputDescriptor = output;
    }

    private ConsoleEndpoint(ConsoleRelay relay)
        : this(relay.GuestEnd, relay.GuestEnd) => _relay = relay;

    /// <summary>The pseudo-terminal's name; null when it is none.</summary>
    public string? TerminalName { get; private init; }

    /// <summary>Where input comes from.</summary>
    public int InputDescriptor { get; }

    /// <summary>Where output goes.</summary>
    public int OutputDescriptor { get; }

    /// <summary>Opens it.</summary>
    /// <param name="option">What is asked for.</param>
    /// <param name="file">The file that it is to go to, opened.</param>
    /// <param name="say">Hears of the pseudo-terminal's name.</param>
    /// <exception cref="LaunchException">It cannot be opened.</exception>
    public static ConsoleEndpoint Open(ConsoleOption option, OutputFile? file, Action<string> say)
    {
        switch (option)
        {
            case ConsoleOption.ToFile:
                return new ConsoleEndpoint(StandardInput, file!.Descriptor);
            case ConsoleOption.OnSocket(SocketAddress address):
                return new ConsoleEndpoint(new ConsoleRelay(new SocketConsole(address)));
            case ConsoleOption.OnPseudoTerminal:
                PseudoTerminalConsole terminal = new();
                say($"the guest's console is {terminal.Name}");
                return new ConsoleEndpoint(new ConsoleRelay(terminal)) { TerminalName = terminal.Name };
            default:
                return new ConsoleEndpoint(StandardInput, StandardOutput);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _relay?.Dispose();
}
