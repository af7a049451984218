// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using static Tmds.Linux.LibC;

namespace Lguest.Tests.EngineParts;

/// <summary>A process that does nothing but write random bytes into a file's first page, until its standard input ends.</summary>
internal static unsafe class Scribbler
{
    // What would do the most harm if it were run as it is: SYSCALL, SYSENTER, INT 0x80, and jumps and calls through registers.
    private static readonly ushort[] s_worst = [0x050F, 0x340F, 0x80CD, 0xE0FF, 0xD0FF, 0xF4F4];

    /// <summary>The child's side.</summary>
    public static int Run(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        byte* page = MemoryMap.Map(
            null, Page.Size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)file.SafeFileHandle.DangerousGetHandle(), 0);
        Thread watch = new(() =>
        {
            while (Console.In.Read() >= 0)
            {
            }

            Environment.Exit(0);
        });
        watch.Start();
        Console.WriteLine("writing");
        Random random = new(Environment.ProcessId);
        for (; ; )
        {
            uint at = (uint)random.Next((int)Page.Size - 1);
            if (random.Next(4) == 0)
                Volatile.Write(ref *(ushort*)(page + at), s_worst[random.Next(s_worst.Length)]);
            else
                Volatile.Write(ref page[at], (byte)random.Next(256));
            if (random.Next(200_000) == 0)
                random.NextBytes(new Span<byte>(page, (int)Page.Size));
        }
    }
}
