// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Native;
using Lguest.Engine.Translator;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// Faults of one engine while others come and go: each must come out at its own engine's exit for faults of its kind. The handlers
/// once read a table that the others were changing; a thread that lost its processor in between went on elsewhere, about once in
/// 50,000 faults under what is tried here.
/// </summary>
public sealed unsafe partial class SignalHandlersTests
{
    private const uint Rounds = 100;

    [Fact]
    public void EnginesComeAndGo()
    {
        using ManualResetEventSlim there = new();
        using ManualResetEventSlim go = new();
        bool over = false;
        Thread other = new(() =>
        {
            Random random = new(1);
            CodeArena arena = Arrive();
            there.Set();
            go.Wait();
            while (!Volatile.Read(ref over))
            {
                // Short naps: waking up takes the processor away from whoever has it, wherever he is.
                _ = usleep((uint)random.Next(5, 25));
                arena.Dispose();
                _ = usleep((uint)random.Next(5, 25));
                arena = Arrive();
            }

            arena.Dispose();
        });
        other.Start();
        there.Wait();
        try
        {
            ScatteredPages.Sum(Rounds, go.Set);
        }
        finally
        {
            Volatile.Write(ref over, true);
            go.Set();
            other.Join();
        }
    }

    /// <summary>What the signal handlers see of an engine that is opened.</summary>
    internal static CodeArena Arrive()
    {
        CodeArena arena = CodeArena.InSlot();
        SignalHandlers.Reserve(arena);
        NativeStubs stubs = new(arena);
        SignalHandlers.Describe(arena, stubs.Region, stubs.SystemCallRegion, stubs.InterruptReturnRegion);
        return arena;
    }

    [LibraryImport("libc")]
    private static partial int usleep(uint microseconds);
}
