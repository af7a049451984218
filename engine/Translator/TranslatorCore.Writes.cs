// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Translator;

/// <summary>Which pages were written: a clean one is read-only in every window, so that the first write to it is seen.</summary>
public sealed unsafe partial class TranslatorCore
{
    /// <inheritdoc/>
    public override void PagesAreClean()
    {
        _interpreter.PagesAreClean();
        if (Memory.Dirty is not { } log)
            return;
        _kernelWindow.ProtectAll(frame => !log.Contains(frame));
        foreach (AddressSpace space in _spaces.Values)
            space.Window.ProtectAll(frame => !log.Contains(frame));
    }

    /// <summary>A frame is about to be written by translated code.</summary>
    /// <returns>Whether it may: false where there is code, whose loss the interpreter sees to.</returns>
    private bool MayBeWritten(uint frame)
    {
        if (_interpreter.HasCode(frame))
            return false;
        Memory.Dirty?.Mark(frame);
        return true;
    }
}
