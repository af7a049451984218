// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Translator;

/// <summary>What the translator counts: increments where translated code is left, or something rarer happens.</summary>
public sealed unsafe partial class TranslatorCore
{
    private readonly long[] _exits = new long[Enum.GetValues<TranslatedExit>().Length];
    private readonly long[] _missed = new long[Enum.GetValues<MapResult>().Length];

    /// <inheritdoc/>
    public override RunClock? Times
    {
        get => base.Times;
        set
        {
            base.Times = value;
            _interpreter.Times = value;
        }
    }

    /// <inheritdoc/>
    public override bool CountsInstructions => false;

    /// <inheritdoc/>
    public override long DirectSystemCalls => (long)Cpu->Translator.SystemCalls;

    /// <inheritdoc/>
    public override IReadOnlyList<EngineCounter> Counters =>
    [
        new("blocks translated", BlocksTranslated),
        new("code cache flushed", Flushes),
        new("KiB of translated code", _code.Bytes >> 10, IsLevel: true),
        new("windows", Windows, IsLevel: true),
        new("windows emptied for others", _spaces.WindowsGivenUp),
        new("host mappings in windows, at most", _spaces.Mappings, IsLevel: true),
        new("host mappings allowed", _spaces.MappingLimit, IsLevel: true),
        new("left to enter a block", Exits(TranslatedExit.Branch)),
        new("left to link a branch", Exits(TranslatedExit.Link)),
        new("left for an instruction to interpret", Exits(TranslatedExit.Interpret) + Exits(TranslatedExit.InterpretHere)),
        new("left by int n", Exits(TranslatedExit.SoftwareInterrupt) + Exits(TranslatedExit.SystemCallFault)),
        new("left by a signal from a timer or thread", Exits(TranslatedExit.Attention) + Exits(TranslatedExit.NotEntered)),
        new("left by a fault", Exits(TranslatedExit.Fault)),
        new("faults: page mapped", _missed[(int)MapResult.Mapped]),
        new("faults: the guest's own", _missed[(int)MapResult.Fault]),
        new("faults: new page, interpreted from there", _missed[(int)MapResult.Unknown]),
        new("faults: access interpreted", _missed[(int)MapResult.Interpret] + _missed[(int)MapResult.Code]),
        new("instructions run by the interpreter's loop", (long)Cpu->Instructions),
    ];

    /// <summary>How often a signal has found translated code running.</summary>
    internal long Interruptions => Exits(TranslatedExit.Attention);

    private long Exits(TranslatedExit exit) => _exits[(int)exit];
}
