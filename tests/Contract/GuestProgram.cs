// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>
/// The code of a tiny guest, written by a test. It tells the test what it sees by sending DMA: the launcher's side gets two
/// words of the guest's choice, and the engine looks at neither (but for the key being an address).
/// </summary>
internal sealed class GuestProgram
{
    /// <summary>Reports of a trap have this key, plus 4 for each vector.</summary>
    public const uint TrapKey = 0x1000;

    private readonly Generation _abi;
    private readonly Dictionary<string, uint> _known;
    private readonly Dictionary<string, Label> _labels = [];

    private GuestProgram(Generation abi, Dictionary<string, uint> known)
    {
        _abi = abi;
        _known = known;
    }

    /// <summary>For the instructions themselves.</summary>
    public Assembler Asm { get; } = new(32);

    /// <summary>Assembles. Twice: an address that is needed before it is known stands as it is the second time.</summary>
    public static (byte[] Code, Dictionary<string, uint> Addresses) Assemble(Generation abi, uint origin, Action<GuestProgram> body)
    {
        (_, Dictionary<string, uint> addresses) = Pass(abi, origin, [], body);
        return Pass(abi, origin, addresses, body);
    }

    /// <summary>Gives this place a name.</summary>
    public void Mark(string name)
    {
        Label label = Here(name);
        Asm.Label(ref label);
        _labels[name] = label;

        // An instruction of no bytes, since no instruction can have two labels.
        Asm.zero_bytes();
    }

    /// <summary>The label of a name, to jump to.</summary>
    public Label Here(string name) => _labels.TryGetValue(name, out Label label) ? label : _labels[name] = Asm.CreateLabel(name);

    /// <summary>The address of a name.</summary>
    public uint Address(string name) => _known.GetValueOrDefault(name, 0xC123_4567u);

    /// <summary>A hypercall; %eax, %edx, %ebx, %ecx are lost.</summary>
    public void Call(HypercallKind kind, uint first = 0, uint second = 0, uint third = 0)
    {
        Asm.mov(Argument(0), first);
        Asm.mov(Argument(1), second);
        Asm.mov(Argument(2), third);
        CallNumber(_abi.Calls.NumberOf(kind) ?? throw new ArgumentException($"{kind} is not in {_abi}"));
    }

    /// <summary>A hypercall whose arguments are in their registers.</summary>
    public void CallNumber(uint number)
    {
        Asm.mov(eax, number);
        Asm.@int(Vectors.Hypercall);
    }

    /// <summary>Stack and LGUEST_INIT: how nearly every guest begins.</summary>
    public void Boot()
    {
        if (_abi.Boot.StartsLinear)
        {
            BootFromLinear();
            return;
        }

        Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
        Call(HypercallKind.LguestInit, GuestPlan.Data);
    }

    /// <summary>Boot, the whole GDT and a stack for traps from ring 3.</summary>
    public void BootWithRings()
    {
        Boot();
        if (_abi.Calls.NumberOf(HypercallKind.LoadGdt) is not null)
            Call(HypercallKind.LoadGdt, GuestPlan.Gdt, Selectors.GdtEntries);
        else
            LoadEachDescriptor();
        Call(HypercallKind.SetStack, Selectors.KernelData, GuestPlan.Virtual(GuestPlan.TrapStackTop), 1);
    }

    /// <summary>Sends a register to the test.</summary>
    public void Report(AssemblerRegister32 value, uint key = 0)
    {
        Asm.mov(Argument(1), value);
        Asm.mov(Argument(0), key);
        CallNumber(_abi.Calls.NumberOf(HypercallKind.SendDma)!.Value);
    }

    /// <summary>Sends a number to the test.</summary>
    public void Report(uint value, uint key = 0)
    {
        Asm.mov(Argument(1), value);
        Report(Argument(1), key);
    }

    /// <summary>Sets a gate.</summary>
    public void Gate(uint vector, string handler, bool interrupt = true, uint dpl = 0)
    {
        uint address = Address(handler);
        Call(HypercallKind.LoadIdtEntry, vector, address & 0xFFFF, GateHigh(address, interrupt, dpl));
    }

    /// <summary>The high word of a gate.</summary>
    public static uint GateHigh(uint handler, bool interrupt, uint dpl) =>
        (handler & 0xFFFF_0000) | 0x8000 | (dpl << 13) | (interrupt ? 0xE00u : 0xF00u);

    /// <summary>
    /// A trap handler: pushes what <see cref="TrapFrame"/> reads, reports where that is, and returns (behind
    /// <paramref name="skip"/> bytes of the instruction that trapped).
    /// </summary>
    public void Handler(string name, uint vector, bool hasError = false, uint skip = 0)
    {
        Mark(name);
        Asm.pushad();
        Asm.push(cs);
        Asm.push(ss);
        Report(esp, TrapKey + (vector * 4));
        Asm.add(esp, 8);
        Asm.popad();
        if (hasError)
            Asm.lea(esp, __[esp + 4]);
        if (skip != 0)
            Asm.add(__dword_ptr[esp], skip);
        Asm.iretd();
    }

    /// <summary>Gate and handler of a vector in one go; to be written where the program does not come by.</summary>
    public void Trap(uint vector, bool hasError = false, uint skip = 0) => Handler($"trap{vector}", vector, hasError, skip);

    /// <summary>To ring 3, at a name.</summary>
    public void ToRing3(string target, uint flags = 0x202)
    {
        Asm.push(GuestPlan.UserData);
        Asm.mov(eax, GuestPlan.Virtual(GuestPlan.UserStackTop));
        Asm.push(eax);
        Asm.mov(eax, flags);
        Asm.push(eax);
        Asm.push(GuestPlan.UserCode);
        Asm.mov(eax, Address(target));
        Asm.push(eax);
        Asm.mov(eax, GuestPlan.UserData);
        Asm.mov(ds, ax);
        Asm.mov(es, ax);
        Asm.iretd();
    }

    /// <summary>Turns interrupts on or off, as a guest does.</summary>
    public void Interrupts(bool on) => Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.Data)], on ? GuestData.InterruptFlag : 0);

    /// <summary>For ever the same instruction.</summary>
    public void Spin()
    {
        Label here = Asm.CreateLabel();
        Asm.Label(ref here);
        Asm.jmp(here);
    }

    /// <summary>The register of an argument.</summary>
    public AssemblerRegister32 Argument(int index) => _abi.Convention.Registers[index] switch
    {
        GeneralRegister.Ebx => ebx,
        GeneralRegister.Ecx => ecx,
        GeneralRegister.Edx => edx,
        GeneralRegister.Esi => esi,
        _ => throw new InvalidOperationException($"no argument is in {_abi.Convention.Registers[index]}"),
    };

    /// <summary>From physical addresses to the kernel's own: memory is at both while that goes on.</summary>
    private void BootFromLinear()
    {
        Asm.mov(esp, GuestPlan.StackTop);
        Call(HypercallKind.LguestInit, GuestPlan.Data);
        Call(HypercallKind.NewPageTable, GuestPlan.Directory);
        Asm.mov(eax, Address("virtual"));
        Asm.jmp(eax);
        Mark("virtual");
        Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
    }

    private void LoadEachDescriptor()
    {
        foreach (uint index in (ReadOnlySpan<uint>)[Selectors.KernelCodeIndex, Selectors.KernelDataIndex, GuestPlan.UserCode >> 3, GuestPlan.UserData >> 3])
        {
            Asm.mov(Argument(0), index);
            Asm.mov(Argument(1), __dword_ptr[GuestPlan.Virtual(GuestPlan.Gdt + (index * 8))]);
            Asm.mov(Argument(2), __dword_ptr[GuestPlan.Virtual(GuestPlan.Gdt + (index * 8) + 4)]);
            CallNumber(_abi.Calls.NumberOf(HypercallKind.LoadGdtEntry)!.Value);
        }
    }

    private static (byte[] Code, Dictionary<string, uint> Addresses) Pass(
        Generation abi, uint origin, Dictionary<string, uint> known, Action<GuestProgram> body)
    {
        GuestProgram program = new(abi, known);
        body(program);

        // Whoever runs off the end of a test has found a bug.
        program.Asm.ud2();
        using MemoryStream stream = new();
        AssemblerResult result = program.Asm.Assemble(new StreamCodeWriter(stream), origin, BlockEncoderOptions.ReturnNewInstructionOffsets);
        return (stream.ToArray(), program._labels.ToDictionary(pair => pair.Key, pair => (uint)result.GetLabelRIP(pair.Value)));
    }
}
