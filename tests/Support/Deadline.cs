// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;

namespace Lguest.Tests.Support;

/// <summary>
/// A limit for a guest that runs in the test's own process. An engine looks for attention at every block, so a guest that goes
/// round for ever is stopped, and its test fails with a sentence; what cannot even be stopped is for <see cref="RunWatch"/>.
/// </summary>
internal sealed class Deadline : IDisposable
{
    /// <summary>Whoever does not answer by then never will, on however busy a machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Timer _timer;
    private volatile bool _passed;

    /// <summary>Sets it.</summary>
    /// <param name="stop">Makes the guest stop; from another thread.</param>
    public Deadline(Action stop)
        : this(stop, Patience)
    {
    }

    /// <summary>Sets one of another length.</summary>
    public Deadline(Action stop, TimeSpan patience) =>
        _timer = new Timer(
            _ =>
            {
                _passed = true;
                stop();
            },
            null,
            patience,
            Timeout.InfiniteTimeSpan);

    /// <summary>Whether it is over.</summary>
    public bool Passed => _passed;

    /// <summary>Runs a core, which must stop for a reason of its own.</summary>
    /// <exception cref="TimeoutException">It did not.</exception>
    public static unsafe CpuExit Run(ExecutionCore core)
    {
        using Deadline deadline = new(core.RequestAttention);
        CpuExit exit = core.Run();
        deadline.Check(core.Cpu);
        return exit;
    }

    /// <summary>Fails when the guest was stopped.</summary>
    /// <param name="cpu">Where it is.</param>
    /// <exception cref="TimeoutException">It was.</exception>
    public unsafe void Check(CpuState* cpu)
    {
        if (_passed)
            throw new TimeoutException($"the guest was stopped after {Patience.TotalSeconds} s: {Describe(cpu)}");
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private static unsafe string Describe(CpuState* cpu) =>
        $"ring {cpu->Arch.Cpl}, eip 0x{cpu->Arch.Eip:x8}, eflags 0x{cpu->Arch.Flags:x}, registers " + string.Join(' ', new ReadOnlySpan<uint>(cpu->Arch.Registers, 8).ToArray().Select(value => $"{value:x8}"));
}
