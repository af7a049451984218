// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Tests.Fuzz.Targets;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz;

/// <summary>A target by name.</summary>
/// <param name="Name">As <c>FUZZ_ONLY=</c> and the names of case files have it.</param>
/// <param name="Open">Makes it ready; it is used by one thread.</param>
/// <param name="Needs">What it cannot do without.</param>
internal sealed record FuzzTarget(string Name, Func<IFuzzTarget> Open, params Need[] Needs);

/// <summary>Everything that <c>make fuzz</c> attacks.</summary>
internal static class FuzzTargets
{
    /// <summary>The order in which they run.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("kernel", static () => new KernelTarget()),
        new("launcher", static () => new LauncherTarget(), Need.Launcher),
        new("symbols", static () => new SymbolsTarget()),
        new("gdb", static () => new GdbTarget()),
        new("control", static () => new ControlTarget()),
        new("options", static () => new OptionsTarget()),
        new("segment-page", static () => new SegmentPageTarget()),
        new("segment-messages", static () => new SegmentMessagesTarget()),
        new("dma", static () => new DmaTarget()),
        new("virtio", static () => new VirtioTarget()),
        new("bus", static () => new LguestBusTarget()),
        new("ninep", static () => new NinePTarget()),
        new("guest-interpreter", static () => new HostileGuestTarget(EngineKind.Interpreter)),
        new("guest-translator", static () => new HostileGuestTarget(EngineKind.Translator), Need.Translator),
        new("guest-check", static () => new HostileGuestTarget(EngineKind.Check), Need.Translator),
    ];

    /// <summary>Targets with faults on purpose, by which the fuzzer itself is tested.</summary>
    private static FuzzTarget Planted { get; } = new("planted", static () => new PlantedTarget());

    /// <summary>The target of that name, or null.</summary>
    public static FuzzTarget? Find(string name) => name == Planted.Name ? Planted : All.FirstOrDefault(target => target.Name == name);
}
