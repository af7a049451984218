// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Processor;

namespace Lguest.Inspect.Gdb;

/// <summary>
/// The registers as gdb numbers them: those of its own i386 description with x87 and SSE, and behind them what it cannot know
/// of, the segment bases, the page directory and the like. All of it is told to gdb in a target description.
/// </summary>
public static class GdbRegisters
{
    private const int FxControl = FxImage.Place.Control;
    private const int FxTags = FxImage.Place.Tags;
    private const int FxOpcode = FxImage.Place.Opcode;
    private const int FxInstruction = FxImage.Place.InstructionOffset;
    private const int FxInstructionSelector = FxImage.Place.InstructionSelector;
    private const int FxData = FxImage.Place.DataOffset;
    private const int FxDataSelector = FxImage.Place.DataSelector;
    private const int FxMxcsr = FxImage.Place.Mxcsr;
    private const int FxStack = FxImage.Place.Stack;
    private const int FxXmm = FxImage.Place.Xmm;
    private const int SlotSize = FxImage.RegisterStride;
    private const int StackRegisterSize = FxImage.StackRegisterBytes;

    /// <summary>gdb's order of the segment registers.</summary>
    private static readonly SegmentName[] SegmentOrder =
        [SegmentName.Cs, SegmentName.Ss, SegmentName.Ds, SegmentName.Es, SegmentName.Fs, SegmentName.Gs];

    private static readonly Register[] All = [.. Build()];

    /// <summary>How many there are.</summary>
    public static int Count => All.Length;

    /// <summary>Number of %eip.</summary>
    public static int Eip { get; } = 8;

    /// <summary>The description that gdb is given.</summary>
    public static string TargetDescription { get; } = Describe();

    /// <summary>One register's bytes, little-endian; empty when there is no such number.</summary>
    public static byte[] Read(IDebugPort guest, int number)
    {
        if ((uint)number >= (uint)All.Length)
            return [];
        byte[] bytes = new byte[All[number].Bytes];
        All[number].Get(guest, bytes);
        return bytes;
    }

    /// <summary>Sets one register. Some (the bases, the page directory) can only be looked at.</summary>
    /// <returns>Whether it could be set.</returns>
    public static bool Write(IDebugPort guest, int number, ReadOnlySpan<byte> value)
    {
        if ((uint)number >= (uint)All.Length || value.Length < All[number].Bytes || All[number].Set is not { } set)
            return false;
        return set(guest, value);
    }

    /// <summary>Bytes of one register; 0 when there is no such number.</summary>
    public static int SizeOf(int number) => (uint)number < (uint)All.Length ? All[number].Bytes : 0;

    private static List<Register> Build()
    {
        List<Register> registers = [];
        const string core = "org.gnu.gdb.i386.core";
        const string sse = "org.gnu.gdb.i386.sse";
        const string system = "org.lguest.system";
        string[] names = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
        for (int i = 0; i < names.Length; i++)
        {
            GeneralRegister register = (GeneralRegister)i;
            string type = i is 4 or 5 ? "data_ptr" : "int32";
            registers.Add(Word(core, names[i], type, g => g.Registers[register], (g, value) => g.Registers[register] = value));
        }

        registers.Add(Word(core, "eip", "code_ptr", g => g.Registers.Eip, (g, value) => g.Registers.Eip = value));

        registers.Add(Word(core, "eflags", "i386_eflags", g => g.Registers.Flags, (g, value) => g.Registers.Flags = value));
        foreach (SegmentName segment in SegmentOrder)
        {
            registers.Add(new Register(core, segment.ToString().ToLowerInvariant(), "int32", 4,
                (g, to) => BinaryPrimitives.WriteUInt32LittleEndian(to, g.Registers.Segment(segment).Selector),
                (g, from) => g.Registers.TryLoadSegment(segment, BinaryPrimitives.ReadUInt32LittleEndian(from))));
        }

        for (int i = 0; i < 8; i++)
            registers.Add(Bytes(core, $"st{i}", "i387_ext", FxStack + (i * SlotSize), StackRegisterSize));
        registers.Add(Half(core, "fctrl", FxControl));
        registers.Add(Half(core, "fstat", FxImage.Place.Status));
        registers.Add(new Register(core, "ftag", "int32", 4, (g, to) => BinaryPrimitives.WriteUInt32LittleEndian(to, FullTags(Image(g))), SetTags));
        registers.Add(Half(core, "fiseg", FxInstructionSelector));
        registers.Add(Fx(core, "fioff", FxInstruction));
        registers.Add(Half(core, "foseg", FxDataSelector));
        registers.Add(Fx(core, "fooff", FxData));
        registers.Add(Half(core, "fop", FxOpcode));
        for (int i = 0; i < 8; i++)
            registers.Add(Bytes(sse, $"xmm{i}", "vec128", FxXmm + (i * SlotSize), SlotSize));
        registers.Add(Fx(sse, "mxcsr", FxMxcsr) with { Type = "i386_mxcsr" });
        foreach (SegmentName segment in SegmentOrder)
            registers.Add(Word(system, segment.ToString().ToLowerInvariant() + "_base", "data_ptr", g => g.Registers.Segment(segment).Base, null));
        registers.Add(Word(system, "cpl", "int32", g => g.Registers.Cpl, null));
        registers.Add(Word(system, "ts", "int32", g => g.Registers.IsTaskSwitched ? 1u : 0, null));
        registers.Add(Word(system, "cr2", "data_ptr", g => g.Data?.Cr2 ?? 0, null));
        registers.Add(Word(system, "cr3", "int32", g => g.PageDirectory, null));
        registers.Add(Word(system, "irq_enabled", "int32", g => g.Data?.IrqEnabled ?? 0, (g, value) =>
        {
            if (g.Data is { } data)
                data.IrqEnabled = value;
        }));
        return registers;
    }

    private static Register Word(string feature, string name, string type, Func<IDebugPort, uint> get, Action<IDebugPort, uint>? set) =>
        new(feature, name, type, 4, (g, to) => BinaryPrimitives.WriteUInt32LittleEndian(to, get(g)),
            set is null ? null : (g, from) =>
            {
                set(g, BinaryPrimitives.ReadUInt32LittleEndian(from));
                return true;
            });

    private static Register Fx(string feature, string name, int offset) =>
        Word(feature, name, "int32", g => BinaryPrimitives.ReadUInt32LittleEndian(Image(g).AsSpan(offset)), (g, value) => Change(g, offset, BitConverter.GetBytes(value)));

    private static Register Half(string feature, string name, int offset) =>
        Word(feature, name, "int32", g => BinaryPrimitives.ReadUInt16LittleEndian(Image(g).AsSpan(offset)), (g, value) => Change(g, offset, BitConverter.GetBytes((ushort)value)));

    private static Register Bytes(string feature, string name, string type, int offset, int length) =>
        new(feature, name, type, length,
            (g, to) => Image(g).AsSpan(offset, length).CopyTo(to),
            (g, from) =>
            {
                Change(g, offset, from[..length]);
                return true;
            });

    /// <summary>The FXSAVE image, as bytes.</summary>
    private static byte[] Image(IDebugPort guest)
    {
        byte[] image = new byte[FxImage.ByteSize];
        MemoryMarshal.Write(image, guest.Registers.FloatingPoint);
        return image;
    }

    private static void Change(IDebugPort guest, int offset, ReadOnlySpan<byte> value)
    {
        byte[] image = Image(guest);
        value.CopyTo(image.AsSpan(offset));
        guest.Registers.FloatingPoint = MemoryMarshal.Read<FxImage>(image);
    }

    /// <summary>The 16-bit tag word, two bits a physical register, out of the one bit that FXSAVE keeps and the contents.</summary>
    private static uint FullTags(ReadOnlySpan<byte> fx)
    {
        const uint valid = 0;
        const uint zero = 1;
        const uint special = 2;
        const uint empty = 3;
        int top = (BinaryPrimitives.ReadUInt16LittleEndian(fx[FxImage.Place.Status..]) >> 11) & 7;
        uint tags = 0;
        for (int i = 0; i < 8; i++)
        {
            uint tag = empty;
            if ((fx[FxTags] >> i & 1) != 0)
            {
                ReadOnlySpan<byte> slot = fx[(FxStack + (((i - top) & 7) * SlotSize))..];
                uint exponent = BinaryPrimitives.ReadUInt16LittleEndian(slot[8..]) & 0x7FFFu;
                ulong mantissa = BinaryPrimitives.ReadUInt64LittleEndian(slot);
                tag = exponent == 0 && mantissa == 0 ? zero : exponent is 0 or 0x7FFF || mantissa >> 63 == 0 ? special : valid;
            }

            tags |= tag << (i * 2);
        }

        return tags;
    }

    private static bool SetTags(IDebugPort guest, ReadOnlySpan<byte> from)
    {
        uint tags = BinaryPrimitives.ReadUInt32LittleEndian(from);
        int kept = 0;
        for (int i = 0; i < 8; i++)
            kept |= (tags >> (i * 2) & 3) == 3 ? 0 : 1 << i;
        Change(guest, FxTags, [(byte)kept]);
        return true;
    }

    private static string Describe()
    {
        StringBuilder xml = new("""<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0"><architecture>i386</architecture>""");
        string? feature = null;
        foreach (Register register in All)
        {
            if (register.Feature != feature)
            {
                if (feature != null)
                    xml.Append("</feature>");
                feature = register.Feature;
                xml.Append($"<feature name=\"{feature}\">").Append(Types(feature));
            }

            xml.Append($"<reg name=\"{register.Name}\" bitsize=\"{register.Bytes * 8}\" type=\"{register.Type}\"/>");
        }

        return xml.Append("</feature></target>").ToString();
    }

    /// <summary>Types that a feature must declare before it uses them, as in gdb's own i386 descriptions.</summary>
    private static string Types(string feature) => feature switch
    {
        "org.gnu.gdb.i386.core" => Flags("i386_eflags",
            "CF", 0, "", 1, "PF", 2, "AF", 4, "ZF", 6, "SF", 7, "TF", 8, "IF", 9, "DF", 10, "OF", 11, "NT", 14, "RF", 16, "VM", 17, "AC", 18, "VIF", 19, "VIP", 20, "ID", 21),
        "org.gnu.gdb.i386.sse" => """<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/><vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/><vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/><union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/><field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>"""
            + Flags("i386_mxcsr", "IE", 0, "DE", 1, "ZE", 2, "OE", 3, "UE", 4, "PE", 5, "DAZ", 6, "IM", 7, "DM", 8, "ZM", 9, "OM", 10, "UM", 11, "PM", 12, "FZ", 15),
        _ => string.Empty,
    };

    private static string Flags(string id, params object[] fields)
    {
        StringBuilder xml = new($"<flags id=\"{id}\" size=\"4\">");
        for (int i = 0; i < fields.Length; i += 2)
            xml.Append($"<field name=\"{fields[i]}\" start=\"{fields[i + 1]}\" end=\"{fields[i + 1]}\"/>");
        return xml.Append("</flags>").ToString();
    }

    private delegate void Getter(IDebugPort guest, Span<byte> to);

    private delegate bool Setter(IDebugPort guest, ReadOnlySpan<byte> from);

    private sealed record Register(string Feature, string Name, string Type, int Bytes, Getter Get, Setter? Set);
}
