// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;

namespace Lguest.Tests.EngineParts;

// [M:200] Guests that mean harm
/// <summary>
/// Makes guests of a random number generator's worst ideas: a short start that is well formed, so that the nonsense after it
/// is reached, and then nonsense of some kind.
/// </summary>
internal sealed class HostileGuest
{
    public const uint LowBank = 0x8_0000;
    public const uint HighBank = 0x10_0000;
    public const uint HighBankBytes = 0x4_0000;
    public const uint TopPages = 0xFFFF_E000;
    private const uint Entry = GuestPlan.Code;
    private const int CodeBytes = 0x2000;

    private static readonly uint[] s_edges =
    [
        0, 1, 4, 8, 0x1000, 0xFFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFFC, 0xFFFF_F000, 0xFFC0_0000, 0xFFBF_FFFF,
        LowBank, LowBank - 1, LowBank - 4, LowBank - 100, HighBank, HighBank - 1, HighBank + HighBankBytes, HighBank + HighBankBytes - 4, TopPages,
        TopPages - 1, GuestPlan.Data, GuestPlan.Gdt, GuestPlan.Directory, GuestPlan.KernelTable, GuestPlan.DmaArray, GuestPlan.Scratch,
        GuestPlan.PageOffset, GuestPlan.PageOffset + LowBank, GuestPlan.PageOffset + LowBank - 2, GuestPlan.PageOffset + GuestPlan.Scratch,
        GuestPlan.PageOffset + GuestPlan.Code, GuestPlan.PageOffset + GuestPlan.Code + 0xFFE, GuestPlan.PageOffset + GuestPlan.Data,
        GuestPlan.PageOffset + GuestPlan.KernelTable, GuestPlan.UserCode, GuestPlan.UserData, Selectors.KernelCode, Selectors.KernelData,
    ];

    // What random bytes seldom are, and what reaches the unusual parts of a processor.
    private static readonly byte[][] s_seeds =
    [
        [0xCF], [0xCB], [0xCA], [0x9D], [0x9C], [0x66, 0x9D], [0x8E], [0x07], [0x17], [0x1F], [0x0F, 0xA1], [0x0F, 0xA9], [0x0F, 0xB2], [0xC4], [0xC5],
        [0xEA], [0x9A], [0xFF], [0xF3, 0xA4], [0xF3, 0xA5], [0xF3, 0xAB], [0xF2, 0xAE], [0x67, 0xF3, 0xA4], [0x64, 0xF3, 0xA5], [0xF3, 0x66, 0xAB],
        [0xC8], [0xC9], [0x60], [0x61], [0x0F, 0xC7], [0xF0, 0x0F, 0xB1], [0x0F, 0xAE], [0x0F, 0xAB], [0x0F, 0xBB], [0xD8], [0xD9], [0xDB], [0xDD], [0xDF],
        [0x0F, 0x28], [0x66, 0x0F, 0x6F], [0xF3, 0x0F, 0x6F], [0x0F, 0xF7], [0x66, 0x0F, 0xF7], [0xCD, 0x1F], [0xCD, 0x80], [0xCC], [0xCE], [0xF1], [0x62],
        [0xE4], [0xE6], [0xEE], [0x6C], [0xF3, 0x6E], [0xE2], [0xE3], [0x67], [0x66], [0x26], [0x2E], [0x36], [0x65], [0x0F, 0x00], [0x0F, 0x01],
        [0x0F, 0x02], [0x0F, 0x03], [0xD6], [0x0F, 0x05], [0x0F, 0x34], [0x0F, 0xAA], [0xF4], [0xFA], [0xD7], [0xF6], [0xF7], [0xA0], [0xA3], [0x63],
    ];

    private readonly Random _random;
    private readonly GuestMemory _memory;
    private readonly Generation _abi;
    private readonly byte[] _code = new byte[CodeBytes];
    private int _length;

    public HostileGuest(int seed, GuestMemory memory, Generation abi)
    {
        _random = new Random(seed);
        _memory = memory;
        _abi = abi;
    }

    /// <summary>Banks with holes between them, and the last pages of the address space.</summary>
    public static MemoryRange[] Ranges =>
        [new MemoryRange(0, LowBank), new MemoryRange(HighBank, HighBankBytes), new MemoryRange(TopPages, 2 * Page.Size)];

    /// <summary>Fills memory with a guest of a kind.</summary>
    public void Load(HostileKind kind)
    {
        _memory.Write(0, LowBank).Clear();
        TinyGuest.LayOut(_memory);
        Begin();
        switch (kind)
        {
            case HostileKind.KernelCode:
                Gates();
                StartClock();
                Registers();
                Soup();
                break;
            case HostileKind.UserCode:
                Gates();
                StartClock();
                EnterRing3();
                Registers();
                Soup();
                break;
            case HostileKind.PageTables:
                PageTables();
                Gates();
                StartClock();
                Registers();
                Soup();
                break;
            case HostileKind.Hypercalls:
                // First, for one of the calls may well halt it.
                StartClock();
                for (int i = 0; i < 30; i++)
                    RandomCall();
                Soup();
                break;
            case HostileKind.Ring:
                Ring();
                for (int i = 0; i < 10; i++)
                    Call(HypercallKind.FlushAsync);
                Gates();
                StartClock();
                Soup();
                break;
            case HostileKind.Tables:
                Tables();
                Registers();
                Soup();
                break;
            case HostileKind.Buffers:
                Buffers();
                StartClock();
                Soup();
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(kind));
        }

        // What is behind the end is nonsense too, and what was not used of the pages.
        _random.NextBytes(_code.AsSpan(_length));
        _code.CopyTo(_memory.Write(Entry, CodeBytes));
    }

    /// <summary>Asks what a launcher asks, with what a guest may have made of it.</summary>
    public void Disturb(IDmaGuest guest)
    {
        for (int i = 0; i < 4; i++)
        {
            guest.TakeBuffer(_random.Next(20) == 0 ? Value() : Key());
            guest.RaiseIrq((uint)_random.Next(40));
        }
    }

    private uint Value() => _random.Next(4) switch
    {
        0 => (uint)_random.Next(),
        1 => s_edges[_random.Next(s_edges.Length)] + (uint)_random.Next(-8, 9),
        2 => GuestPlan.PageOffset + (uint)_random.Next((int)LowBank),
        _ => s_edges[_random.Next(s_edges.Length)],
    };

    private uint Key() => (uint)_random.Next(8) * 4;

    private void Emit(params ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            if (_length < CodeBytes)
                _code[_length++] = value;
        }
    }

    private void Emit32(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Emit(bytes);
    }

    private void Move(int register, uint value)
    {
        Emit((byte)(0xB8 + register));
        Emit32(value);
    }

    private void Call(uint number, uint edx, uint ebx, uint ecx)
    {
        Move(2, edx);
        Move(3, ebx);
        Move(1, ecx);
        Move(0, number);
        Emit(0xCD, Vectors.Hypercall);
    }

    private void Call(HypercallKind kind, uint edx = 0, uint ebx = 0, uint ecx = 0) => Call(_abi.Calls.NumberOf(kind)!.Value, edx, ebx, ecx);

    private void Begin()
    {
        _length = 0;
        Move(4, GuestPlan.Virtual(GuestPlan.StackTop));
        Call(HypercallKind.LguestInit, GuestPlan.Data);
        Call(HypercallKind.LoadGdt, GuestPlan.Gdt, Selectors.GdtEntries);
        Call(HypercallKind.SetStack, Selectors.KernelData, GuestPlan.Virtual(GuestPlan.TrapStackTop), 1);
        if (_random.Next(2) == 0)
        {
            _memory.WriteUInt32(GuestPlan.Data + 1120, Value());
            _memory.WriteUInt32(GuestPlan.Data + 1124, Value());
        }

        _memory.WriteUInt32(GuestPlan.Data, (uint)_random.Next(2) * GuestData.InterruptFlag);
    }

    /// <summary>From here on the guest's time is counted: see the clock it runs under.</summary>
    private void StartClock()
    {
        if (_abi.Clock == ClockStyle.Periodic)
            Call(HypercallKind.TimerStart, 100);
        else
            Call(HypercallKind.SetClockEvent, 0xFFFF_FFFF);
    }

    private void Gates()
    {
        for (uint vector = 0; vector < 34; vector++)
        {
            if (_random.Next(4) == 0)
                continue;
            uint handler = GuestPlan.PageOffset + Entry + (uint)_random.Next(CodeBytes);
            Call(HypercallKind.LoadIdtEntry, vector, handler & 0xFFFF, GuestProgram.GateHigh(handler, _random.Next(2) == 0, (uint)_random.Next(4)));
        }
    }

    private void Registers()
    {
        for (int register = 0; register < 8; register++)
            Move(register, register == 4 && _random.Next(4) != 0 ? GuestPlan.Virtual(GuestPlan.StackTop) - 64 : Value());
    }

    private void EnterRing3()
    {
        uint flags = (uint)_random.Next(1 << 22);
        Move(0, 0);
        foreach (uint word in new[] { GuestPlan.UserData, GuestPlan.Virtual(GuestPlan.UserStackTop), flags, GuestPlan.UserCode })
        {
            Emit(0x68);
            Emit32(word);
        }

        Emit(0x68);
        Emit32(GuestPlan.PageOffset + Entry + (uint)_length + 5);
        Emit(0xCF);
    }

    private void Soup()
    {
        bool onlyBytes = _random.Next(4) == 0;
        Span<byte> bytes = stackalloc byte[12];
        int end = Math.Min(_length + 400, CodeBytes);
        while (_length < end)
        {
            _random.NextBytes(bytes);
            if (!onlyBytes && _random.Next(3) != 0)
                Emit(s_seeds[_random.Next(s_seeds.Length)]);
            Emit(bytes[.._random.Next(1, 8)]);
            if (_random.Next(3) == 0)
                Emit32(Value());
        }
    }

    private uint Frame() => _random.Next(6) switch
    {
        0 => Value(),
        1 => LowBank + (uint)_random.Next(0x8_0000),
        2 => HighBank + (uint)_random.Next((int)HighBankBytes),
        3 => TopPages,
        _ => (uint)_random.Next((int)LowBank),
    } & ~Page.OffsetMask;

    private uint Flags() => _random.Next(3) == 0 ? (uint)_random.Next(0x1000) : (uint)_random.Next(0x80) & ~8u;

    private void PageTables()
    {
        for (uint i = 0; i < GuestPlan.EntriesPerTable; i++)
        {
            if (i != GuestPlan.PageOffset >> 22 && _random.Next(4) == 0)
                _memory.WriteUInt32(GuestPlan.Directory + (i * 4), Frame() | Flags());
            if (_random.Next(2) == 0)
                _memory.WriteUInt32(GuestPlan.SpareTable + (i * 4), Frame() | Flags());

            // The kernel's own pages now and then, but not all of what the start needs.
            if (_random.Next(i < 0x60 ? 200 : 3) == 0)
                _memory.WriteUInt32(GuestPlan.KernelTable + (i * 4), Frame() | Flags() | 1);
        }

        _memory.WriteUInt32(GuestPlan.Directory + 40, GuestPlan.SpareTable | 7);
        _memory.WriteUInt32(GuestPlan.Directory + 44, GuestPlan.Directory | 7);
    }

    private uint CallNumber()
    {
        // CRASH and the like end it too soon to be interesting each time.
        uint number = (uint)_random.Next(19);
        return number is 1 or 2 && _random.Next(10) != 0 ? 14 : number;
    }

    private void RandomCall()
    {
        uint number = CallNumber();
        uint first = Value();
        if (HypercallTable.Of(_abi.Calls.Decode(number)).Arguments is [{ Kind: ArgumentKind.Vector }, ..])
            first = (uint)_random.Next(140);
        Call(number, first, Value(), _random.Next(2) == 0 ? Value() : (uint)_random.Next(0x10000));
    }

    private void Ring()
    {
        for (uint slot = 0; slot < GuestData.RingSize; slot++)
        {
            uint entry = GuestPlan.Data + 84 + (slot * 16);
            _memory.WriteUInt32(entry, CallNumber());
            _memory.WriteUInt32(entry + 4, Value());
            _memory.WriteUInt32(entry + 8, Value());
            _memory.WriteUInt32(entry + 12, Value());
            _memory.Write(GuestPlan.Data + 20 + slot, 1)[0] = (byte)_random.Next(3);
        }
    }

    private void Tables()
    {
        for (int i = 1; i < Selectors.GdtEntries; i++)
        {
            ulong descriptor = (ulong)_random.NextInt64() ^ (ulong)_random.NextInt64() << 1;

            // Present code and data more often than chance would have it, and small limits.
            if (_random.Next(3) != 0)
                descriptor |= 0x0000_9000_0000_0000;
            if (_random.Next(2) == 0)
                descriptor &= 0x00F0_FFFF_FFFF_FFFF;
            if (i is not (Selectors.KernelCodeIndex or Selectors.KernelDataIndex) || _random.Next(8) == 0)
                TinyGuest.Descriptor(_memory, i, descriptor);
        }

        // The whole table again, now that it is this one; then loads, far jumps and returns with selectors from it.
        Call(HypercallKind.LoadGdt, GuestPlan.Gdt, Selectors.GdtEntries);
        Gates();
        StartClock();
        for (int i = 0; i < 12; i++)
        {
            uint selector = (uint)((_random.Next(Selectors.GdtEntries) << 3) | _random.Next(4));
            switch (_random.Next(4))
            {
                case 0:
                    Emit(0xEA);
                    Emit32(GuestPlan.PageOffset + Entry + (uint)_length + 6);
                    Emit((byte)selector, (byte)(selector >> 8));
                    break;
                case 1:
                    foreach (uint word in new[] { (uint)_random.Next(256), Value(), (uint)_random.Next(1 << 19), selector, Value() })
                    {
                        Emit(0x68);
                        Emit32(word);
                    }

                    Emit(_random.Next(2) == 0 ? (byte)0xCF : (byte)0xCB);
                    break;
                default:
                    Move(0, selector);
                    Emit(0x8E, (byte)(0xC0 | (_random.Next(6) << 3)));
                    break;
            }
        }
    }

    private void Buffers()
    {
        Span<byte> noise = stackalloc byte[(int)Page.Size];
        _random.NextBytes(noise);
        noise.CopyTo(_memory.Write(GuestPlan.DmaArray, Page.Size));
        for (int i = 0; i < 36; i++)
        {
            uint array = _random.Next(12) == 0 ? Value() : GuestPlan.DmaArray + ((uint)_random.Next(30) * LguestDma.Size);
            Call(HypercallKind.BindDma, Key(), array, (uint)(_random.Next(1 << 20) << 8) | (uint)_random.Next(34));
            if (_random.Next(4) == 0)
                Call(HypercallKind.SendDma, Key(), Value());
        }
    }
}

/// <summary>What is wrong with a hostile guest.</summary>
public enum HostileKind
{
    /// <summary>Random bytes as code at ring 1.</summary>
    KernelCode,

    /// <summary>Random bytes as code at ring 3.</summary>
    UserCode,

    /// <summary>Random page tables.</summary>
    PageTables,

    /// <summary>Hypercalls with random arguments.</summary>
    Hypercalls,

    /// <summary>A ring of random calls.</summary>
    Ring,

    /// <summary>Random descriptors and gates.</summary>
    Tables,

    /// <summary>Random DMA bindings and buffers.</summary>
    Buffers,
}
