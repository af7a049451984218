// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Engine;
using Lguest.Engine.Channel;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Support;

namespace Lguest.Tests.Contract;

/// <summary>
/// A guest of a few instructions, and the launcher's side of it. Everything is seen through the guest's interface and its memory, so
/// that it does not matter which engine runs it. A test of the byte protocol uses the channel instead.
/// </summary>
internal sealed class TinyGuest : IDisposable
{
    private readonly Dictionary<string, uint> _addresses;
    private readonly GuestDataLayout _layout;

    /// <summary>Loads a guest and gives it to an engine.</summary>
    /// <param name="kind">The engine.</param>
    /// <param name="program">The guest's code.</param>
    /// <param name="abi">What it speaks; null: 2.6.23.</param>
    /// <param name="clock">The guest's time; null: one that stands still.</param>
    /// <param name="prepare">Changes memory before the start.</param>
    /// <param name="ranges">Memory; null: 2 MiB.</param>
    /// <param name="pfnLimit">What INITIALIZE is told; null: all of the memory.</param>
    /// <param name="tablesEnd">Where the host may make page tables: <see cref="GuestStart.TablesEnd"/>.</param>
    public TinyGuest(
        EngineKind kind,
        Action<GuestProgram> program,
        Generation? abi = null,
        IGuestTime? clock = null,
        Action<GuestMemory>? prepare = null,
        IReadOnlyList<MemoryRange>? ranges = null,
        uint? pfnLimit = null,
        uint tablesEnd = 0)
    {
        abi ??= Generation.Linux2623;
        Memory = MappedGuestMemory.Create(ranges ?? [new MemoryRange(0, GuestPlan.MemoryBytes)]);
        (byte[] code, _addresses) = GuestProgram.Assemble(abi, GuestPlan.Virtual(GuestPlan.Code), program);
        _layout = abi.Data;
        LayOut(Memory, abi);
        code.CopyTo(Memory.Write(GuestPlan.Code, (uint)code.Length));
        prepare?.Invoke(Memory);
        EngineChannel channel = new(start => GuestEngine.Start(kind, Memory, abi, start with { TablesEnd = tablesEnd }, out _, clock ?? new StillClock()));
        Channel = channel;
        uint limit = pfnLimit ?? (uint)(Memory.Top >> Page.Shift);
        uint entry = abi.Boot.StartsLinear ? GuestPlan.Code : GuestPlan.Virtual(GuestPlan.Code);
        Assert.Equal(16, Channel.Initialize(limit, GuestPlan.Directory, entry, GuestPlan.PageOffset));
        Guest = channel.Guest!;
    }

    public MappedGuestMemory Memory { get; }

    public IGuestChannel Channel { get; }

    public Guest Guest { get; }

    /// <summary>The second word of the last DMA.</summary>
    public uint Key { get; private set; }

    /// <summary>lguest_data as it is now.</summary>
    public GuestData Data => new(Memory, GuestPlan.Data, _layout);

    /// <summary>A kernel's memory before it is started: linear page tables, an empty ring, a GDT like Linux's.</summary>
    /// <param name="memory">Its memory.</param>
    /// <param name="abi">What it speaks; null: 2.6.23.</param>
    public static void LayOut(GuestMemory memory, Generation? abi = null)
    {
        GuestDataLayout layout = (abi ?? Generation.Linux2623).Data;
        if (layout.KernelAddress is { } kernel)
            memory.WriteUInt32(GuestPlan.Data + kernel, GuestPlan.PageOffset);
        if (layout.SystemCallVector is { } vector)
            memory.WriteUInt32(GuestPlan.Data + vector, Vectors.SystemCall);
        if (abi?.Boot.StartsLinear == true)
            memory.WriteUInt32(GuestPlan.Directory, GuestPlan.KernelTable | (uint)PageFlags.Linear);
        memory.WriteUInt32(GuestPlan.Directory + (GuestPlan.PageOffset >> 22) * 4, GuestPlan.KernelTable | (uint)PageFlags.Linear);
        for (uint page = 0; page < Math.Min(memory.Ranges[0].Length >> Page.Shift, GuestPlan.EntriesPerTable); page++)
            memory.WriteUInt32(GuestPlan.KernelTable + (page * 4), (page << Page.Shift) | (uint)PageFlags.Linear);
        memory.Write(GuestPlan.Data + layout.RingStatus, GuestData.RingSize).Fill(GuestData.RingDone);
        memory.WriteUInt32(GuestPlan.Data, 0);
        Descriptor(memory, Selectors.KernelCodeIndex, 0x00CF_9A00_0000_FFFF);
        Descriptor(memory, Selectors.KernelDataIndex, 0x00CF_9200_0000_FFFF);
        Descriptor(memory, (int)(GuestPlan.UserCode >> 3), 0x00CF_FA00_0000_FFFF);
        Descriptor(memory, (int)(GuestPlan.UserData >> 3), 0x00CF_F200_0000_FFFF);
    }

    /// <summary>Writes a descriptor into the table that the guest hands over.</summary>
    public static void Descriptor(GuestMemory memory, int index, ulong descriptor) =>
        memory.WriteValue(GuestPlan.Gdt + ((uint)index * 8), descriptor);

    /// <summary>The address of a name in the program.</summary>
    public uint Address(string name) => _addresses[name];

    /// <summary>Runs the guest until it comes out.</summary>
    public RunExit Run() => Within(Guest.Run);

    /// <summary>One read of the channel.</summary>
    public long Read() => Within(() => Channel.Read(new byte[8]));

    /// <summary>The next word that the guest reports.</summary>
    public uint Next()
    {
        RunExit exit = Run();
        Assert.True(exit.Kind == RunExitKind.Dma, exit.ToString());
        Key = exit.Key;
        return exit.Address;
    }

    /// <summary>The next trap that the guest reports.</summary>
    public TrapFrame NextTrap(uint vector)
    {
        uint stack = Next();
        Assert.Equal(GuestProgram.TrapKey + (vector * 4), Key);
        return TrapFrame.Read(Memory, stack, vector is 8 or (>= 10 and <= 14) or 17);
    }

    /// <summary>Runs the guest to its end.</summary>
    /// <returns>Why it died.</returns>
    public string Death()
    {
        RunExit exit = Run();
        Assert.Equal(RunExitKind.Died, exit.Kind);
        return exit.Reason!;
    }

    /// <summary>Runs the guest, which must neither report nor die, for a while.</summary>
    public void RunQuietly(int milliseconds)
    {
        using Timer breaker = new(_ => Guest.Break(), null, milliseconds, Timeout.Infinite);
        Assert.Equal(RunExit.Break, Guest.Run());
        Guest.ReleaseBreak();
    }

    /// <summary>The reason as the channel gives it, once ENOENT was read.</summary>
    public string Reason()
    {
        byte[] text = new byte[256];
        long length = Channel.Read(text);
        Assert.InRange(length, 1, text.Length);
        Assert.Equal(0, text[length - 1]);
        return Encoding.Latin1.GetString(text, 0, (int)length - 1);
    }

    public void Dispose()
    {
        Channel.Dispose();
        Memory.Dispose();
    }

    private unsafe T Within<T>(Func<T> run)
    {
        using Deadline deadline = new(() => Guest.Break());
        T result = run();
        if (deadline.Passed)
            deadline.Check(Guest.Core.Cpu);
        return result;
    }
}
