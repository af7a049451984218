// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Check;

/// <summary>
/// One value for each undefined flag that is looked at, and then another, until all have been tried. A flag is what its reader
/// takes for likely at first, then its opposite.
/// </summary>
internal sealed class FlagChoices
{
    private readonly List<bool> _flips = [];
    private int _at;

    /// <summary>Chooses among flags as this round has it.</summary>
    /// <param name="undefined">The flags, as bits.</param>
    /// <returns>Those to be turned around.</returns>
    public uint Flips(uint undefined)
    {
        uint flips = 0;
        for (uint rest = undefined; rest != 0; rest &= rest - 1)
        {
            if (_at == _flips.Count)
                _flips.Add(false);
            if (_flips[_at++])
                flips |= rest & (uint)-(int)rest;
        }

        return flips;
    }

    /// <summary>Goes on to the next round.</summary>
    /// <returns>False when there is none.</returns>
    public bool Next()
    {
        // Another way round may have looked at fewer flags.
        _flips.RemoveRange(_at, _flips.Count - _at);
        _at = 0;
        while (_flips.Count != 0 && _flips[^1])
            _flips.RemoveAt(_flips.Count - 1);
        if (_flips.Count == 0)
            return false;
        _flips[^1] = true;
        return true;
    }
}
