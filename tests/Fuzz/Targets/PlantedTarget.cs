// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Fuzz.Targets;

/// <summary>A target with faults on purpose, a few mutations away from its seed: the fuzzer's own test.</summary>
internal sealed class PlantedTarget : IFuzzTarget
{
    /// <summary>A case with this throws.</summary>
    public const byte Throws = 0xE1;

    /// <summary>A case with these kills the process.</summary>
    public const byte Dies = 0xE2;

    /// <summary>A case with these never ends.</summary>
    public const byte Hangs = 0xE3;

    /// <summary>Which of the faults are there; all are looked for in cases given by name.</summary>
    public const string Variable = "LGUEST_FUZZ_PLANTED";

    private readonly byte[] _faults = Convert.FromHexString(Environment.GetEnvironmentVariable(Variable) ?? "E1E2E3");

    public IEnumerable<byte[]> Seeds => ["a seed of some length, to be made shorter"u8.ToArray()];

    public ulong Run(byte[] bytes)
    {
        foreach (byte fault in _faults)
        {
            if (!bytes.Contains(fault))
                continue;
            switch (fault)
            {
                case Throws:
                    throw new InvalidOperationException("planted");
                case Dies:
                    Environment.FailFast("planted");
                    break;
                case Hangs:
                    Thread.Sleep(Timeout.Infinite);
                    break;
            }
        }

        return (ulong)bytes.Length / 8;
    }
}
