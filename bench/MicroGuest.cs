// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;

namespace Lguest.Bench;

/// <summary>A guest of a few instructions, in a megabyte mapped at its own addresses.</summary>
internal sealed class MicroGuest : IDisposable
{
    /// <summary>Where a loop may write.</summary>
    public const uint Data = 0x20000;

    private const uint Size = 1 << 20;
    private const uint PageDirectory = 0x1000;
    private const uint PageTable = 0x2000;
    private const uint LguestDataAddress = 0x4000;
    private const uint CrashText = 0x6000;
    private const uint Code = 0x10000;

    private readonly MappedGuestMemory _memory;

    /// <summary>Makes one.</summary>
    /// <param name="engine">What runs it.</param>
    /// <param name="count">Goes to %edi: how often the loop runs.</param>
    /// <param name="body">The loop's body; it may use %eax, %ebx, %ecx and %edx.</param>
    public MicroGuest(EngineKind engine, int count, Action<Assembler> body)
    {
        _memory = MappedGuestMemory.Create([new MemoryRange(0, Size)]);
        const uint linear = (uint)PageFlags.Linear;
        _memory.WriteUInt32(PageDirectory, PageTable | linear);
        for (uint page = 0; page < Size; page += Page.Size)
            _memory.WriteUInt32(PageTable + ((page >> Page.Shift) * sizeof(uint)), page | linear);

        // Nothing is pending in the ring.
        const uint ringStatus = 20;
        _memory.Write(LguestDataAddress + ringStatus, GuestData.RingSize).Fill(GuestData.RingDone);
        "end"u8.CopyTo(_memory.Write(CrashText, 4));
        Assembler a = new(32);
        Label loop = a.CreateLabel();
        a.mov(AssemblerRegisters.eax, 1);
        a.mov(AssemblerRegisters.edx, (int)LguestDataAddress);
        a.@int(Vectors.Hypercall);
        a.mov(AssemblerRegisters.edi, count);
        a.Label(ref loop);
        body(a);
        a.dec(AssemblerRegisters.edi);
        a.jne(loop);
        a.mov(AssemblerRegisters.eax, 2);
        a.mov(AssemblerRegisters.edx, (int)CrashText);
        a.@int(Vectors.Hypercall);
        using MemoryStream code = new();
        a.Assemble(new StreamCodeWriter(code), Code);
        code.ToArray().CopyTo(_memory.Write(Code, (uint)code.Length));
        Guest = GuestEngine.Start(engine, _memory, Generation.Linux2623, new GuestStart(Size >> Page.Shift, PageDirectory, Code, 0), out _);
    }

    /// <summary>The guest.</summary>
    public Guest Guest { get; }

    /// <summary>Runs it to its end.</summary>
    public void Run()
    {
        RunExit exit = Guest.Run();
        if (exit != RunExit.Died("CRASH: end"))
            throw new InvalidOperationException($"the guest ended with {exit}");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Guest.Dispose();
        _memory.Dispose();
    }
}
