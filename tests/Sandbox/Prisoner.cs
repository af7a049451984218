// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;
using Lguest.Launcher.Run;
using Mono.Unix.Native;

namespace Lguest.Tests.Sandbox;

/// <summary>
/// What a guest could do that had got out of the engine as once was possible (a page that changes while it is translated, so that
/// the arena holds a SYSCALL of the guest's choice): machine code in the launcher's process makes system calls, on the guest's
/// own thread and on one that was there before the seal. The launcher is a real one, with a real command line.
/// </summary>
internal static unsafe class Prisoner
{
    private const int MostArguments = 6;

    /// <summary>Runs in a process of its own: DIRECTORY, OTHER-PROCESS, harmless or all or a number, then the launcher's arguments.</summary>
    public static int Run(string[] arguments)
    {
        delegate* unmanaged<nint*, nint> call = MakeCall();
        List<(ForbiddenCall Call, nint[] Words)> calls = [];
        int.TryParse(arguments[2], NumberStyles.None, CultureInfo.InvariantCulture, out int foreign);
        if (foreign == 0)
        {
            foreach (ForbiddenCall forbidden in ForbiddenCall.All(arguments[0], int.Parse(arguments[1], CultureInfo.InvariantCulture)))
            {
                if (forbidden.IsHarmless || arguments[2] == "all")
                    calls.Add((forbidden, Words(forbidden)));
            }
        }

        using ManualResetEventSlim turn = new();
        Thread bystander = new(() =>
        {
            turn.Wait();
            Try(call, calls, "bystander");
        });
        bystander.Start();
        LaunchOptions options = CommandLineParser.Parse(arguments[3..]);
        using GuestSession session = new(options, HostOutput.Say, Stopwatch.GetTimestamp())
        {
            Escaped = () =>
            {
                if (foreign != 0)
                    MakeForeign(foreign);
                Try(call, calls, "guest");
                turn.Set();
                bystander.Join();
            },
        };
        return session.Run();
    }

    private static void Try(delegate* unmanaged<nint*, nint> call, List<(ForbiddenCall Call, nint[] Words)> calls, string who)
    {
        foreach ((ForbiddenCall forbidden, nint[] words) in calls)
        {
            nint result;
            fixed (nint* start = words)
                result = call(start);
            HostOutput.Write(1, string.Create(CultureInfo.InvariantCulture, $"{who}: {forbidden.Name}: {result}\n"));
        }
    }

    private static nint[] Words(ForbiddenCall call)
    {
        nint[] words = new nint[1 + MostArguments];
        words[0] = call.Number;
        for (int i = 0; i < call.Arguments.Length; i++)
            words[1 + i] = call.Arguments[i] is string text ? Text(text) : (int)call.Arguments[i];
        return words;
    }

    /// <summary>Never given back: the thread may still be using it.</summary>
    private static nint Text(string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text + "\0");
        nint copy = (nint)NativeMemory.Alloc((nuint)bytes.Length);
        Marshal.Copy(bytes, 0, copy, bytes.Length);
        return copy;
    }

    /// <summary>Code that makes a system call from seven words: number and arguments.</summary>
    private static delegate* unmanaged<nint*, nint> MakeCall() => (delegate* unmanaged<nint*, nint>)Code(
    [
        0x49, 0x89, 0xFB,                   // mov %rdi,%r11
        0x49, 0x8B, 0x03,                   // mov (%r11),%rax
        0x49, 0x8B, 0x7B, 0x08,             // mov 8(%r11),%rdi
        0x49, 0x8B, 0x73, 0x10,             // mov 16(%r11),%rsi
        0x49, 0x8B, 0x53, 0x18,             // mov 24(%r11),%rdx
        0x4D, 0x8B, 0x53, 0x20,             // mov 32(%r11),%r10
        0x4D, 0x8B, 0x43, 0x28,             // mov 40(%r11),%r8
        0x4D, 0x8B, 0x4B, 0x30,             // mov 48(%r11),%r9
        0x0F, 0x05,                         // syscall
        0xC3,                               // ret
    ]);

    /// <summary>Makes a harmless call (getpid) in the manner of another architecture.</summary>
    /// <param name="which">32: i386. Else x32.</param>
    private static void MakeForeign(int which)
    {
        const int i386 = 32;
        byte[] code = which == i386
            ? [0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]             // mov $20,%eax; int $0x80; ret
            : [0xB8, 39, 0, 0, 0x40, 0x0F, 0x05, 0xC3];         // mov $0x40000027,%eax; syscall; ret
        nint result = ((delegate* unmanaged<nint>)Code(code))();
        HostOutput.Write(1, string.Create(CultureInfo.InvariantCulture, $"lived on: {result}\n"));
    }

    private static nint Code(byte[] code)
    {
        const ulong size = 4096;
        nint page = Syscall.mmap(0, size, MmapProts.PROT_READ | MmapProts.PROT_WRITE, MmapFlags.MAP_PRIVATE | MmapFlags.MAP_ANONYMOUS, -1, 0);
        Marshal.Copy(code, 0, page, code.Length);
        Assert.Equal(0, Syscall.mprotect(page, size, MmapProts.PROT_READ | MmapProts.PROT_EXEC));
        return page;
    }
}
