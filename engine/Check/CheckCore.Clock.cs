// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Interpreter;

namespace Lguest.Engine.Check;

/// <summary>RDTSC tells the translator what it told the interpreter.</summary>
public sealed unsafe partial class CheckCore
{
    private ulong RecordClock()
    {
        if (_clockNext == _clockValues.Count)
            _clockValues.Add(InterpreterCore.HostClock);
        return _clockValues[_clockNext++];
    }

    private ulong ReplayClock() => _clockNext < _clockValues.Count ? _clockValues[_clockNext++] : InterpreterCore.HostClock;
}
