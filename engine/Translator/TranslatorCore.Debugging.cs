// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Translator;

/// <summary>
/// Under a debugger that has set breakpoints or watchpoints, the interpreter runs the guest: it is the one that can stop in
/// front of any instruction and sees every access. Without any, translated code runs at full speed, debugger or not.
/// </summary>
public sealed unsafe partial class TranslatorCore
{
    private bool _hasBreakpoints;
    private bool _hasWatchpoints;

    /// <summary>Whether translated code would miss a stop.</summary>
    private bool IsWatched => _hasBreakpoints || _hasWatchpoints;

    /// <inheritdoc/>
    public override CpuExit Step()
    {
        ToLazyFlags();
        return _interpreter.Step();
    }

    /// <inheritdoc/>
    public override void SetBreakpoints(IReadOnlySet<uint> addresses)
    {
        _hasBreakpoints = addresses.Count > 0;
        _interpreter.SetBreakpoints(addresses);
    }

    /// <inheritdoc/>
    public override void SetWatchpoints(IReadOnlyList<Watchpoint> watchpoints)
    {
        _hasWatchpoints = watchpoints.Count > 0;
        _interpreter.SetWatchpoints(watchpoints);
    }
}
