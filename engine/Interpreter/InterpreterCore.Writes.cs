// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Interpreter;

/// <summary>Writes that the table of pages does not let pass, though the guest may make them.</summary>
public sealed unsafe partial class InterpreterCore
{
    /// <inheritdoc/>
    public override void PagesAreClean() => FlushTlb();

    /// <summary>
    /// Whether the guest's writes to a frame must come to us, though it may write there: since there is code, or since the frame is
    /// clean and somebody wants to know when it is not.
    /// </summary>
    internal bool MustSeeWrites(uint frame) => HasCode(frame) || (Memory.Dirty is { } log && !log.Contains(frame));
}
