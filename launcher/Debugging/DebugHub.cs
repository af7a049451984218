// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Hypervisor;
using Lguest.Launcher.Debugging.Gdb;
using Lguest.Launcher.Debugging.Monitor;
using Lguest.Launcher.Debugging.Symbols;
using Lguest.Launcher.Kernel;

namespace Lguest.Launcher.Debugging;

/// <summary>
/// All that looks into a guest, as far as the command line asks for it. It outlives the guest: after a restart gdb, the trace
/// and the control socket go on with the next one.
/// </summary>
public sealed class DebugHub : IDisposable
{
    private readonly DebugOptions _options;
    private readonly MonitorCommands _monitor;
    private readonly GdbServer? _gdb;
    private bool _first = true;

    /// <summary>Opens what is to be listened at.</summary>
    /// <param name="options">What is wanted.</param>
    /// <param name="kernel">The guest's kernel, for its symbols.</param>
    /// <param name="say">Where the launcher's own sentences go.</param>
    /// <exception cref="LaunchException">Something asked for cannot be had.</exception>
    public DebugHub(DebugOptions options, KernelImage kernel, Action<string> say)
    {
        _options = options;

        // A System.map is looked at now, while the user can still be told; the kernel's own symbols when somebody wants one.
        SymbolTable? given = options.Symbols == null ? null : SymbolTable.FromSystemMap(options.Symbols);
        Target = new DebugTarget(new Lazy<SymbolTable>(() => given ?? ElfSymbols.Read(kernel.Path)));
        _monitor = new MonitorCommands(Target, static _ => "tracing is not there\n");
        if (options.Gdb == null)
            return;
        _gdb = new GdbServer(options.Gdb, Target, _monitor);
        say(options.GdbWait ? $"waiting for gdb at {options.Gdb}" : $"gdb can attach at {options.Gdb}");
    }

    /// <summary>The guest, as debuggers know it.</summary>
    public DebugTarget Target { get; }

    /// <summary>A guest is about to run. On the thread that owns it.</summary>
    public void Begin(DebugTarget.Running running)
    {
        Target.Begin(running, pause: _first && _options.GdbWait);
        _first = false;
    }

    /// <summary>The guest has run; its memory and registers are still there.</summary>
    public void End() => Target.End();

    /// <summary>The launcher ends.</summary>
    /// <param name="status">With this exit status.</param>
    public void Exiting(int status) => _gdb?.GuestExited(status);

    /// <inheritdoc/>
    public void Dispose() => _gdb?.Dispose();
}
