// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.FloatingPoint;

/// <summary>
/// FNSTENV, FLDENV, FNSAVE and FRSTOR in protected mode, 32-bit and 16-bit forms (Intel SDM vol. 1, 8.1.10, figures 8-9 and
/// 8-11), between memory and the FXSAVE image. Done in software because the processor would store its own idea of the
/// instruction pointers.
/// </summary>
internal static class FpuEnvironment
{
    /// <summary>Bytes of the 16-bit environment.</summary>
    public const int Size16 = 14;

    /// <summary>Bytes of the registers that FNSAVE stores after the environment.</summary>
    public const int RegisterArea = FxImage.RegisterCount * FxImage.StackRegisterBytes;

    private const int RegisterBytes = FxImage.StackRegisterBytes;

    /// <summary>FNSTENV without its side effect.</summary>
    /// <param name="image">The state.</param>
    /// <param name="target">At least <paramref name="environmentBytes"/> bytes.</param>
    /// <param name="environmentBytes">28, or <see cref="Size16"/>.</param>
    public static void Store(in FxImage image, Span<byte> target, int environmentBytes)
    {
        ushort tags = FullTags(image);
        if (environmentBytes == Size16)
        {
            Span<ushort> words = stackalloc ushort[]
            {
                image.Control, image.Status, tags, (ushort)image.InstructionOffset, (ushort)image.InstructionSelector,
                (ushort)image.DataOffset, (ushort)image.DataSelector,
            };
            for (int i = 0; i < words.Length; i++)
                BinaryPrimitives.WriteUInt16LittleEndian(target[(2 * i)..], words[i]);
            return;
        }

        // Processors write ones to the reserved upper halves.
        const uint Reserved = 0xFFFF_0000;
        Span<uint> fields = stackalloc uint[]
        {
            Reserved | image.Control, Reserved | image.Status, Reserved | tags, image.InstructionOffset,
            (image.InstructionSelector & 0xFFFF) | ((uint)(image.Opcode & 0x7FF) << 16), image.DataOffset,
            Reserved | image.DataSelector,
        };
        for (int i = 0; i < fields.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(target[(4 * i)..], fields[i]);
    }

    /// <summary>FLDENV.</summary>
    public static void Load(ref FxImage image, ReadOnlySpan<byte> source, int environmentBytes)
    {
        int oldTop = image.Top;
        int stride = environmentBytes == Size16 ? 2 : 4;
        ushort control = BinaryPrimitives.ReadUInt16LittleEndian(source);
        image.Status = BinaryPrimitives.ReadUInt16LittleEndian(source[stride..]);
        ushort tags = BinaryPrimitives.ReadUInt16LittleEndian(source[(2 * stride)..]);
        if (environmentBytes == Size16)
        {
            image.InstructionOffset = BinaryPrimitives.ReadUInt16LittleEndian(source[6..]);
            image.InstructionSelector = BinaryPrimitives.ReadUInt16LittleEndian(source[8..]);
            image.DataOffset = BinaryPrimitives.ReadUInt16LittleEndian(source[10..]);
            image.DataSelector = BinaryPrimitives.ReadUInt16LittleEndian(source[12..]);
            image.Opcode = 0;
        }
        else
        {
            image.InstructionOffset = BinaryPrimitives.ReadUInt32LittleEndian(source[12..]);
            image.InstructionSelector = BinaryPrimitives.ReadUInt16LittleEndian(source[16..]);
            image.Opcode = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(source[18..]) & 0x7FF);
            image.DataOffset = BinaryPrimitives.ReadUInt32LittleEndian(source[20..]);
            image.DataSelector = BinaryPrimitives.ReadUInt16LittleEndian(source[24..]);
        }

        image.Tags = Abridge(tags);
        image.LoadControl(control);
        image.KeepPlaces(oldTop);
    }

    /// <summary>FNSAVE without its side effect: environment, then ST(0)–ST(7), 10 bytes each.</summary>
    public static unsafe void Save(in FxImage image, Span<byte> target, int environmentBytes)
    {
        Store(image, target, environmentBytes);
        fixed (byte* stack = image.Stack)
        {
            for (int i = 0; i < 8; i++)
                new ReadOnlySpan<byte>(stack + (FxImage.RegisterStride * i), RegisterBytes).CopyTo(target[(environmentBytes + (RegisterBytes * i))..]);
        }
    }

    /// <summary>FRSTOR.</summary>
    public static unsafe void Restore(ref FxImage image, ReadOnlySpan<byte> source, int environmentBytes)
    {
        Load(ref image, source, environmentBytes);
        fixed (byte* stack = image.Stack)
        {
            for (int i = 0; i < 8; i++)
                source.Slice(environmentBytes + (RegisterBytes * i), RegisterBytes).CopyTo(new Span<byte>(stack + (FxImage.RegisterStride * i), RegisterBytes));
        }
    }

    /// <summary>The two tag bits per register: 0 valid, 1 zero, 2 special, 3 empty (SDM vol. 1, 8.1.7), from the contents.</summary>
    private static unsafe ushort FullTags(in FxImage image)
    {
        int tags = 0;
        fixed (byte* stack = image.Stack)
        {
            for (int physical = 0; physical < 8; physical++)
            {
                int tag = 3;
                if ((image.Tags >> physical & 1) != 0)
                {
                    byte* register = stack + (FxImage.RegisterStride * ((physical - image.Top) & 7));
                    tag = Classify(*(ulong*)register, *(ushort*)(register + 8) & 0x7FFF);
                }

                tags |= tag << (2 * physical);
            }
        }

        return (ushort)tags;
    }

    private static int Classify(ulong significand, int exponent)
    {
        const int Valid = 0, Zero = 1, Special = 2;
        if (exponent == 0)
            return significand == 0 ? Zero : Special;
        return exponent != 0x7FFF && (long)significand < 0 ? Valid : Special;
    }

    private static byte Abridge(ushort tags)
    {
        int abridged = 0;
        for (int physical = 0; physical < 8; physical++)
        {
            if ((tags >> (2 * physical) & 3) != 3)
                abridged |= 1 << physical;
        }

        return (byte)abridged;
    }
}
