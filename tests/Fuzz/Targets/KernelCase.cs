// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Inspect;
using Lguest.Tests.Launcher;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>A case that is a kernel's file: a byte that says how the rest is packed, so that what is inside of a checksum is attacked too.</summary>
internal static class KernelCase
{
    private const int Packings = 4;
    private const int LargestSeed = 64 << 10;

    /// <summary>Bytes of a case at most.</summary>
    public const int Longest = 96 << 10;

    public static IEnumerable<byte[]> Seeds
    {
        get
        {
            byte[] elf = TestKernel.Good().Build();
            yield return [0, .. elf];
            yield return [0, .. TinyKernel.Elf(0xEB, 0xFE)];
            yield return [0, .. TestKernel.Gzip(elf)];
            yield return [0, .. TestKernel.BzImage(TestKernel.Gzip(TestKernel.Image()))];
            yield return [0, .. TestKernel.BzImage([.. TestKernel.Gzip([1, 2, 3]), .. TestKernel.Gzip(TestKernel.Image())])];
            yield return [0, .. TestKernel.Good("3.14.4", mark: false, guest: true).Build()];
            yield return [0, .. new TestBootImage { Relocatable = true }.Build()];
            yield return [0, .. new TestBootImage { Release = "2.6.24", Version = 0x207 }.Build()];
            yield return [0, .. new TestBootImage { Payload = [0xFD, .. "7zXZ"u8, 0, .. new byte[500]] }.Build()];
            yield return [1, .. elf];
            yield return [2, .. TestKernel.Image()];
            yield return [3, .. TestBootImage.Unpacked(noHighmem: true)];
            if (Needs.WhyNot([Need.Guests]) != null)
                yield break;
            foreach (string name in (string[])["conformance/hello", "conformance/hello-bzimage", "conformance/gen2007"])
            {
                byte[] guest = File.ReadAllBytes(Needs.Guest(name));
                if (guest.Length <= LargestSeed)
                    yield return [0, .. guest];
            }
        }
    }

    public static IReadOnlyList<byte[]> Words { get; } =
        ["\u007fELF\u0001\u0001\u0001"u8.ToArray(), "GenuineLguest"u8.ToArray(), "Linux version 2.6.23 "u8.ToArray(), [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3], "HdrS"u8.ToArray(), "LGUEST\0"u8.ToArray(), "Linux version 4.9.154 "u8.ToArray(), [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]];

    /// <summary>The file's bytes.</summary>
    public static byte[] Unwrap(byte[] bytes)
    {
        if (bytes.Length == 0)
            return [];
        byte[] rest = bytes[1..];
        if (rest.Length == 0)
            return rest;
        return (bytes[0] % Packings) switch
        {
            0 => rest,
            1 => TestKernel.Gzip(rest),
            3 => new TestBootImage { Payload = TestKernel.Gzip(rest) }.Build(),
            _ => TestKernel.BzImage(TestKernel.Gzip(rest)),
        };
    }
}
