// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Engine.Debugging;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.EngineParts;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// A hostile guest of any seed on an engine: kind, generation and seed, then words that its memory holds instead of its own. It
/// harms nobody but itself; and under check the engines agree.
/// </summary>
internal sealed class HostileGuestTarget : IFuzzTarget
{
    private const int Header = 6;
    private const int Change = 8;
    private readonly MappedGuestMemory _memory = MappedGuestMemory.Create(HostileGuest.Ranges);
    private readonly HostileRun _run;

    public HostileGuestTarget(EngineKind engine) => _run = new HostileRun(engine, _memory);

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            for (int seed = 0; seed < 10; seed++)
            {
                foreach (HostileKind kind in Enum.GetValues<HostileKind>())
                    yield return [(byte)kind, (byte)seed, (byte)seed, 0x55, 0xAA, 7];
            }
        }
    }

    public int LongestCase => Header + (64 * Change);

    public ulong Run(byte[] bytes)
    {
        CaseReader reader = new(bytes);
        HostileKind kind = (HostileKind)(reader.Byte() % Enum.GetValues<HostileKind>().Length);
        Generation abi = reader.Byte() % 4 == 0 ? Generation.Linux2623 : Generation.Seed200702;
        int seed = (int)reader.Word();
        byte[] changes = reader.Rest().ToArray();
        Signature signature = new();
        signature.Add((ulong)kind);

        // A case must not depend on what the guest before it has left.
        foreach (MemoryRange range in _memory.Ranges)
            _memory.Write(range.Start, (uint)range.Length).Clear();
        try
        {
            ulong counts = 0;
            string end = _run.Run(kind, seed, abi, () => Apply(changes), statistics => counts = Sign(statistics));
            signature.AddSentence(end);
            signature.Add(counts);
        }
        catch (EngineDisagreementException disagreement)
        {
            throw new FuzzFindException($"{disagreement.Message}; {disagreement.Report}");
        }

        return signature.Value;
    }

    private static ulong Sign(GuestStatistics statistics)
    {
        Signature signature = new();
        foreach (long count in statistics.Traps)
            signature.Add(count == 0 ? 0u : 1);
        foreach (long count in statistics.Hypercalls)
            signature.Add(count == 0 ? 0u : 1);
        foreach ((_, long count) in statistics.Exits)
            signature.Add(count == 0 ? 0u : 1);
        return signature.Value;
    }

    /// <summary>An address in the low bank and a word, again and again.</summary>
    private void Apply(byte[] changes)
    {
        for (int at = 0; at + Change <= changes.Length; at += Change)
        {
            uint address = BinaryPrimitives.ReadUInt32LittleEndian(changes.AsSpan(at)) % (HostileGuest.LowBank - sizeof(uint));
            _memory.WriteUInt32(address, BinaryPrimitives.ReadUInt32LittleEndian(changes.AsSpan(at + sizeof(uint))));
        }
    }
}
