// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine;
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Differential;
using Lguest.Tests.Support;
using static Iced.Intel.AssemblerRegisters;
using static Tmds.Linux.LibC;

namespace Lguest.Tests.EngineParts.Signals;

/// <summary>The child's side of <see cref="SignalChainTests"/>: a process in which nothing is installed yet.</summary>
internal static unsafe partial class SignalChild
{
    /// <summary>All that install something: translator, lost pages, the differential rig, a stranger.</summary>
    public const string Everybody = "TLNF";

    private const uint EFlagsAtRest = 0x202;
    private static readonly List<string> s_wrong = [];
    private static MappedGuestMemory? s_memory;
    private static ForeignHandler? s_foreign;
    private static int s_file;

    /// <summary>What a child does.</summary>
    public static int Run(string[] arguments)
    {
        switch (arguments)
        {
            case ["orders", string order]:
                foreach (char who in order)
                {
                    Install(who);
                    Look(order[..(order.IndexOf(who, StringComparison.Ordinal) + 1)]);
                }

                break;
            case ["together"]:
                Together();
                break;
            case ["unknown", string before]:
                Unknown(before);
                break;
            case ["no timers"]:
                NoTimers();
                break;
            case ["storm"]:
                FaultStorm.Run(s_wrong);
                break;
            case ["at once"]:
                AtOnce();
                break;
            case ["sent"]:
                Sent();
                break;
            default:
                s_wrong.Add("no such thing to do");
                break;
        }

        foreach (string wrong in s_wrong)
            Console.WriteLine(wrong);
        Console.WriteLine("done");
        return s_wrong.Count;
    }

    private static void Install(char who)
    {
        switch (who)
        {
            case 'T':
                SignalHandlers.Prepare();
                break;
            case 'L':
                s_memory = MappedGuestMemory.Create([new MemoryRange(0, 4 * Page.Size)]);
                s_file = MemoryMap.CreateMemoryFile("lost"u8, Page.Size);
                s_memory.MapFile(Page.Size, s_file, 0);
                break;
            case 'N':
                _ = NativeRunner.Unavailable;
                break;
            case 'F':
                s_foreign = new ForeignHandler(SignalChain.Bus);
                break;
        }
    }

    /// <summary>Everybody who is there gets his own faults, again and again; the runtime its own.</summary>
    private static void Look(string installed)
    {
        for (int round = 0; round < 2; round++)
        {
            foreach (char who in installed)
            {
                switch (who)
                {
                    case 'T':
                        Check(() => ScatteredPages.Sum(2));
                        break;
                    case 'L':
                        Check(LosePage);
                        break;
                    case 'N' when NativeRunner.Unavailable is null:
                        Check(BadStackSegment);
                        break;
                    case 'F':
                        Check(ForeignFault);
                        break;
                }
            }

            Check(NullPointer);
        }

        if (File.ReadLines("/proc/self/maps").Any(line => line.StartsWith("00000000-", StringComparison.Ordinal)))
            s_wrong.Add($"{installed}: something is mapped at address 0");
    }

    private static void Check(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e)
        {
            lock (s_wrong)
                s_wrong.Add(e.ToString());
        }
    }

    private static void LosePage()
    {
        _ = ftruncate(s_file, 0);
        Assert.Equal(0u, s_memory!.ReadUInt32(Page.Size));
        s_memory.WriteUInt32(Page.Size, 5);
        Assert.Equal(5u, s_memory.ReadUInt32(Page.Size));

        // Once more from the beginning.
        _ = ftruncate(s_file, Page.Size);
        s_memory.MapFile(Page.Size, s_file, 0);
    }

    private static void BadStackSegment()
    {
        Snippet snippet = new() { Code = [0x50], Offset = 0x100 }; // push eax
        snippet.Before.Flags = EFlagsAtRest;
        snippet.Before.Registers[4] = 1;
        snippet.Before.Fx[24] = 0x80;
        snippet.Before.Fx[25] = 0x1F;
        Outcome outcome = new();
        NativeRunner.Instance.Run(snippet, outcome);
        Assert.Equal(12, outcome.Vector);
    }

    private static void ForeignFault()
    {
        ulong before = s_foreign!.Faults;
        s_foreign.Fault();

        // More, when other threads make one meanwhile.
        Assert.True(s_foreign.Faults > before);
    }

    private static void NullPointer()
    {
        string? nothing = Environment.GetEnvironmentVariable("LGUEST_NO_SUCH_VARIABLE");
        Assert.Throws<NullReferenceException>(() => nothing!.Length);
    }

    /// <summary>Everybody at once, while the runtime has faults of its own all the time.</summary>
    private static void Together()
    {
        bool over = false;
        Thread faults = new(() =>
        {
            while (!Volatile.Read(ref over))
                Check(NullPointer);
        });
        faults.Start();
        Install('F');
        using Barrier barrier = new(3);
        Thread[] all = [.. "TLN".Select(who => new Thread(() => Check(() =>
        {
            barrier.SignalAndWait();
            Install(who);
            Look($"{who}F");
        })))];
        foreach (Thread thread in all)
            thread.Start();
        foreach (Thread thread in all)
            thread.Join();
        Volatile.Write(ref over, true);
        faults.Join();
        Look(Everybody);
    }

    /// <summary>A fault that nobody knows, with some handler from before the chain.</summary>
    private static void Unknown(string before)
    {
        switch (before)
        {
            case "default":
                ForeignHandler.Reset(SignalChain.Bus, 0);
                break;
            case "ignored":
                ForeignHandler.Reset(SignalChain.Bus, 1);
                break;
        }

        Install('L');
        Install('T');
        LosePage();
        if (before == "ignored")
            ForeignHandler.SendToSelf(SignalChain.Bus);
        Console.WriteLine("here");

        // A page that nobody guards.
        int file = MemoryMap.CreateMemoryFile("unguarded"u8, Page.Size);
        byte* page = MemoryMap.Map(null, Page.Size, PROT_READ, MAP_SHARED, file, 0);
        _ = ftruncate(file, 0);
        s_wrong.Add($"read {Volatile.Read(ref *page)} where nothing is");
    }

    /// <summary>A signal that is sent is no fault, wherever it arrives: here in a translated loop.</summary>
    private static void Sent()
    {
        const int times = 200;
        TimeSpan patience = TimeSpan.FromSeconds(20);
        ForeignHandler handler = new(SignalChain.FloatingPoint);
        int thread = 0;
        bool over = false;
        Thread guest = new(() =>
        {
            Volatile.Write(ref thread, ForeignHandler.Thread);
            while (!Volatile.Read(ref over))
                Check(LoopInTranslatedCode);
        });
        guest.Start();
        while (Volatile.Read(ref thread) == 0)
            Thread.Yield();
        for (ulong sent = 1; sent <= times; sent++)
        {
            handler.Send(thread);
            Stopwatch clock = Stopwatch.StartNew();
            while (handler.Sent < sent && clock.Elapsed < patience)
                Thread.Yield();
            Check(() => Assert.Equal(sent, handler.Sent));
            if (handler.Sent != sent)
                break;
        }

        Volatile.Write(ref over, true);
        guest.Join();
    }

    private static void LoopInTranslatedCode()
    {
        using BareGuest guest = new(EngineKind.Translator, 1);

        // mov ecx, a million; again: dec ecx; jnz again; int 0x80
        guest.Write(GuestPlan.Code, [0xB9, .. BitConverter.GetBytes(1_000_000), 0x49, 0x75, 0xFD, 0xCD, 0x80]);
        for (int i = 0; i < 100; i++)
            Assert.Equal(ExitKind.SoftwareInterrupt, guest.Run(GuestPlan.Virtual(GuestPlan.Code)).Kind);
    }

    /// <summary>A signal that arrives as soon as the new handler is there.</summary>
    private static void AtOnce()
    {
        const int signal = 42;
        ForeignHandler old = new(signal);
        SignalChain.Changed = ForeignHandler.SendToSelf;
        SignalChain.Add(SignalChain.Emit(Nobody()), signal);
        Check(() => Assert.Equal(1ul, old.Sent));
    }

    /// <summary>A link that knows nothing.</summary>
    public static Assembler Nobody()
    {
        Assembler a = new(64);
        a.xor(eax, eax);

        // A link may use what a function may use.
        a.mov(rcx, -1);
        a.mov(rdx, rcx);
        a.mov(rsi, rcx);
        a.mov(rdi, rcx);
        a.mov(r8, rcx);
        a.mov(r9, rcx);
        a.mov(r10, rcx);
        a.mov(r11, rcx);
        a.ret();
        return a;
    }

    /// <summary>More engines than there is room for, none of which gets the timer that it wants last.</summary>
    private static void NoTimers()
    {
        const int pendingSignals = 11; // RLIMIT_SIGPENDING
        ulong* limit = stackalloc ulong[2];
        _ = getrlimit(pendingSignals, limit);
        ulong before = limit[0];
        limit[0] = 0;
        _ = setrlimit(pendingSignals, limit);
        for (int i = 0; i < 100; i++)
            Check(() => Assert.Throws<Win32Exception>(() => ScatteredPages.Sum(1)));
        limit[0] = before;
        _ = setrlimit(pendingSignals, limit);
        Check(() => ScatteredPages.Sum(1));
    }

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, ulong* limit);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, ulong* limit);

    [LibraryImport("libc")]
    private static partial int ftruncate(int fd, long length);
}
