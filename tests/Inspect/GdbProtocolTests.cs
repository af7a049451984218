// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Inspect.Gdb;
using Lguest.Inspect.Symbols;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>The protocol against a guest, without gdb: what is hard to make gdb do, and what no gdb does.</summary>
public sealed class GdbProtocolTests
{
    private const int Eax = 0;
    private const int Esp = 4;

    public static TheoryData<string> Engines() => new("interpreter", "translator");

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void AGuestIsSteppedThroughItsFirstHypercall(string engine)
    {
        using WaitingLauncher launcher = Start(engine, "conformance/hello");
        using GdbClient gdb = new(launcher.GdbSocket);
        Assert.Equal("T05thread:1;", gdb.Ask("?"));
        Assert.Contains("qXfer:features:read+", gdb.Ask("qSupported:multiprocess+;swbreak+"), StringComparison.Ordinal);

        // The way there is long.
        string near = GdbClient.Address(ElfSymbols.Read(Needs.Guest("conformance/hello")).AddressOf("hcall_init")!.Value);
        Assert.Equal("OK", gdb.Ask($"Z0,{near},1"));
        Assert.Equal("T05swbreak:;thread:1;", gdb.Ask("c"));
        Assert.Equal("OK", gdb.Ask($"z0,{near},1"));
        uint eip = gdb.Register(GdbRegisters.Eip);
        for (int i = 0; gdb.Ask($"m{GdbClient.Address(eip)},2") != "cd1f"; i++)
        {
            Assert.True(i < 10_000, "no hypercall in 10000 instructions");
            Assert.Equal("T05thread:1;", gdb.Ask("vCont;s:1"));
            eip = gdb.Register(GdbRegisters.Eip);
        }

        Assert.DoesNotContain("LGUEST_INIT", gdb.Monitor("hypercalls"), StringComparison.Ordinal);
        Assert.Equal("T05thread:1;", gdb.Ask("s"));
        Assert.Equal(eip + 2, gdb.Register(GdbRegisters.Eip));
        Assert.Contains("LGUEST_INIT", gdb.Monitor("hypercalls"), StringComparison.Ordinal);
        Assert.Contains("tsc_khz", gdb.Monitor("lguest"), StringComparison.Ordinal);
        Assert.Equal("W00", gdb.Ask("c"));
        Assert.Equal(0, launcher.WaitForExit());
        Assert.Contains("1 passed, 0 failed", launcher.Output, StringComparison.Ordinal);
    }

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void RegistersAndMemoryAreReadAndWritten(string engine)
    {
        using WaitingLauncher launcher = Start(engine, "conformance/hello");
        using GdbClient gdb = new(launcher.GdbSocket);
        string all = gdb.Ask("g");
        int expected = 0;
        for (int i = 0; i < GdbRegisters.Count; i++)
            expected += GdbRegisters.SizeOf(i) * 2;
        Assert.Equal(expected, all.Length);
        Assert.Equal("OK", gdb.Ask("P0=78563412"));
        Assert.Equal(0x12345678u, gdb.Register(Eax));
        Assert.StartsWith("78563412", gdb.Ask("g"), StringComparison.Ordinal);
        Assert.Equal("OK", gdb.Ask("G" + all));
        Assert.Equal(0u, gdb.Register(Eax));

        // %st0, %xmm3: 80 and 128 bits. A selector without a descriptor is refused, and so is what can only be looked at.
        Assert.Equal("OK", gdb.Ask("P10=00000000000000c00040"));
        Assert.Equal("00000000000000c00040", gdb.Ask("p10"));
        Assert.Equal("OK", gdb.Ask("P23=000102030405060708090a0b0c0d0e0f"));
        Assert.Equal("000102030405060708090a0b0c0d0e0f", gdb.Ask("p23"));
        Assert.Equal("E16", gdb.Ask("Pa=ff000000"));
        Assert.StartsWith("E", gdb.Ask($"P{GdbRegisters.Count - 3:x}=00000000"), StringComparison.Ordinal);
        Assert.StartsWith("E", gdb.Ask("p7fff"), StringComparison.Ordinal);

        uint eip = gdb.Register(GdbRegisters.Eip);
        string code = gdb.Ask($"m{GdbClient.Address(eip)},10");
        Assert.Equal(32, code.Length);
        Assert.Equal("OK", gdb.Ask($"M{GdbClient.Address(eip + 0x100)},2:beef"));
        Assert.Equal("beef", gdb.Ask($"m{GdbClient.Address(eip + 0x100)},2"));

        // Binary, with bytes that have to be escaped.
        Assert.Equal("OK", gdb.Ask($"X{GdbClient.Address(eip + 0x100)},4:$#}}*"));
        Assert.Equal("24237d2a", gdb.Ask($"m{GdbClient.Address(eip + 0x100)},4"));

        // Nothing is mapped at 0, and at the edge of what is mapped there is as much as there is.
        Assert.Equal("E0e", gdb.Ask("m0,4"));
        Assert.Equal("E0e", gdb.Ask("M0,1:00"));
        Assert.Equal("", gdb.Ask("mfffffff0,0"));
    }

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void BreakpointsWatchpointsAndInterruptsStopAGuest(string engine)
    {
        using WaitingLauncher launcher = Start(engine, "demo");
        using GdbClient gdb = new(launcher.GdbSocket);
        SymbolTable symbols = ElfSymbols.Read(Needs.Guest("demo"));
        uint main = symbols.AddressOf("guest_main")!.Value;
        gdb.Ask("qSupported:swbreak+");
        Assert.Equal("OK", gdb.Ask($"Z0,{GdbClient.Address(main)},1"));
        Assert.Equal("T05swbreak:;thread:1;", gdb.Ask("c"));
        Assert.Equal(main, gdb.Register(GdbRegisters.Eip));
        Assert.Equal("OK", gdb.Ask($"z0,{GdbClient.Address(main)},1"));

        // The word below %esp is where the next push or call goes.
        uint stack = gdb.Register(Esp);
        Assert.Equal("OK", gdb.Ask($"Z2,{GdbClient.Address(stack - 4)},4"));
        Assert.Equal($"T05watch:{GdbClient.Address(stack - 4)};thread:1;", gdb.Ask("vCont;c"));
        Assert.Equal("OK", gdb.Ask($"z2,{GdbClient.Address(stack - 4)},4"));

        gdb.Send("c");
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
        gdb.SendRaw("\u0003");
        Assert.Equal("T02thread:1;", gdb.Receive());

        // Asleep, waiting for a key (its prompt comes a moment after the greeting): it can be looked at all the same, and steps
        // when something happens.
        for (Stopwatch watch = Stopwatch.StartNew(); watch.Elapsed < LauncherProcess.Patience && !gdb.Monitor("lguest").Contains("halted                yes", StringComparison.Ordinal);)
        {
            gdb.Send("c");
            Thread.Sleep(20);
            gdb.SendRaw("\u0003");
            Assert.Equal("T02thread:1;", gdb.Receive());
        }

        Assert.Contains("halted                yes", gdb.Monitor("lguest"), StringComparison.Ordinal);
        gdb.Send("s");
        launcher.Type("off\n");
        Assert.Equal("T05thread:1;", gdb.Receive());
        Assert.Equal("W00", gdb.Ask("c"));
        Assert.Equal(0, launcher.WaitForExit());
    }

    /// <summary>Packets with a piece missing are answered with an error; the guest runs on afterwards.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void APieceOfAPacketIsAnError()
    {
        using WaitingLauncher launcher = Start("interpreter", "demo");
        using GdbClient gdb = new(launcher.GdbSocket);
        foreach (string packet in (string[])["vCont;", "vCont;x", "vCont;;c", "m", "m,", "M0", "X0,1", "Z", "Z0,", "P", "P=", "p", "Z2,0,ffffffffff"])
            Assert.StartsWith("E", gdb.Ask(packet), StringComparison.Ordinal);
        foreach (string packet in (string[])["vCont", "v", "q", "Q", "qXfer", "Z9,0,1", "!", "b"])
            Assert.Equal("", gdb.Ask(packet));
        Assert.Equal("OK", gdb.Ask("D"));
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
    }

    /// <summary>
    /// Random packets, of letters that mean something and numbers on the edge: whatever becomes of the session and of the guest,
    /// nothing ends the launcher but the guest's own end.
    /// </summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void RandomPacketsEndTheirSessionAtMost()
    {
        const int sessions = 40;
        const int packets = 50;
        string[] pieces = ["vCont;", ";", "vCont", "c", "s", "C05", "m", "M", "X", "Z0", "z2", "P", "p", "G", "g", "qRcmd,", "qXfer:features:read:target.xml:", "H", "?", ",", ":", "=", "0", "ffffffff", "c0100000", "1", "-1", "}", "74726163652061", "}\u0003", "D", "T1", "\u00ff"];
        Random random = new(20071001);
        using WaitingLauncher launcher = Start("interpreter", "demo");
        for (int session = 0; session < sessions; session++)
        {
            try
            {
                using GdbClient gdb = new(launcher.GdbSocket);
                for (int i = 0; i < packets; i++)
                {
                    gdb.Send(string.Concat(Enumerable.Range(0, random.Next(1, 7)).Select(_ => pieces[random.Next(pieces.Length)])));
                    if (random.Next(20) == 0)
                        gdb.SendRaw("$" + pieces[random.Next(pieces.Length)]);
                }

                // Whoever leaves with answers unread takes back what the launcher has not read yet.
                gdb.Finish();
            }
            catch (System.Net.Sockets.SocketException)
            {
                // It detached, or the guest has died of it.
            }
        }

        if (!launcher.Process.HasExited)
        {
            using GdbClient last = new(launcher.GdbSocket);
            Assert.StartsWith("T", last.Ask("?"), StringComparison.Ordinal);
            Assert.Equal("OK", last.Ask("D"));
            launcher.Process.StandardInput.Close();
            Mono.Unix.Native.Syscall.kill(launcher.Process.Id, Mono.Unix.Native.Signum.SIGTERM);
        }

        Assert.Contains(launcher.WaitForExit(), (int[])[0, 1, 143]);
        Assert.DoesNotContain("internal error", launcher.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled", launcher.Error, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void DebuggersComeAndGo()
    {
        using WaitingLauncher launcher = Start("interpreter", "demo");
        uint main = ElfSymbols.Read(Needs.Guest("demo")).AddressOf("guest_main")!.Value;
        for (int i = 0; i < 5; i++)
        {
            // Without a word, in the middle of a packet, and properly.
            using GdbClient gdb = new(launcher.GdbSocket);
            Assert.StartsWith("T", gdb.Ask("?"), StringComparison.Ordinal);
            if (i == 3)
                gdb.SendRaw("$m0,");
            if (i == 4)
                Assert.Equal("OK", gdb.Ask("D"));
            else
                gdb.Ask($"Z0,{GdbClient.Address(main)},1");
        }

        // Nobody is there any more, so no breakpoint is either.
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
        launcher.Type("off\n");
        Assert.Equal(0, launcher.WaitForExit());
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void NonsenseIsAnsweredAndHarmsNobody()
    {
        using WaitingLauncher launcher = Start("interpreter", "conformance/hello");
        using GdbClient gdb = new(launcher.GdbSocket);
        Random random = new(7);
        foreach (char first in "?gGpPmMXzZHTqQvR!bBtiI_")
        {
            for (int i = 0; i < 10; i++)
            {
                string rest = new([.. Enumerable.Range(0, random.Next(12)).Select(_ => "0123456789abcdef,:;=-xZ"[random.Next(23)])]);

                // Kill, detach and the packets that set the guest going are no nonsense.
                gdb.Ask(first + rest);
            }
        }

        foreach (string packet in (ReadOnlySpan<string>)["qRcmd,xx", "qXfer:features:read:target.xml:zz", "m,", "X0,2:a", "Z9,0,1", "Z2,ffffffff,2", "vCont;t", ""])
            gdb.Ask(packet);
        Assert.Contains("translate ADDR", gdb.Monitor(string.Empty), StringComparison.Ordinal);
        Assert.StartsWith("T", gdb.Ask("?"), StringComparison.Ordinal);
        Assert.False(launcher.Process.HasExited);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void MonitorCommandsAnswer()
    {
        using WaitingLauncher launcher = Start("interpreter", "demo");
        using GdbClient gdb = new(launcher.GdbSocket);
        gdb.Send("c");
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
        gdb.SendRaw("\u0003");
        gdb.Receive();
        foreach ((string command, string expected) in (ReadOnlySpan<(string, string)>)[
            ("help", "translate ADDR"),
            ("hypercalls", "LGUEST_INIT\n"),
            ("translate 0xc0100000", "physical 0x00100000; the kernel may read"),
            ("translate 0xc0100000 1", "usage: translate ADDR"),
            ("translate 0x10", "not "),
            ("pagetables", "page directory 0x"),
            ("gdt", "ring 1 32-bit code"),
            ("idt", "irq 0                interrupt gate"),
            ("lguest", "hcall_status        all 64 done"),
            ("devices", "console"),
            ("dma", "1 of 32 bindings in use"),
            ("physical 0x1000 32", "00001010 "),
            ("physical 0xf0000000 4", "are not the guest's"),
            ("irq 40", "one irq, from 0 to 31"),
            ("irq 7", "irq 7 is raised"),
            ("trace", "usage: trace on|off [LIST]"),
            ("trace off", "nothing is traced"),
            ("trace on nonsense", "there is no 'nonsense' to trace"),
            ("engine", ", engine interpreter\n"),
            ("bogus", "there is no command 'bogus'"),
        ])
            Assert.Contains(expected, gdb.Monitor(command), StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ADyingGuestIsShownFirst()
    {
        using WaitingLauncher launcher = Start("interpreter", "demo", "run=crash");
        using GdbClient gdb = new(launcher.GdbSocket);
        gdb.Send("c");
        string output = gdb.Receive();
        Assert.StartsWith("O", output, StringComparison.Ordinal);
        Assert.Equal("T06thread:1;", gdb.Receive());

        // It is dead, and all of it is still there.
        uint eip = gdb.Register(GdbRegisters.Eip);
        Assert.Equal("cd1f", gdb.Ask($"m{GdbClient.Address(eip - 2)},2"));
        Assert.False(launcher.Process.HasExited);
        Assert.Equal("W01", gdb.Ask("c"));
        Assert.Equal(1, launcher.WaitForExit());
        Assert.EndsWith("lguest: CRASH: the demo kernel was asked to crash\n", launcher.Error, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void KillingEndsTheGuest()
    {
        using WaitingLauncher launcher = Start("interpreter", "demo");
        using GdbClient gdb = new(launcher.GdbSocket);
        Assert.Equal("OK", gdb.Ask("vKill;1"));
        Assert.Equal(1, launcher.WaitForExit());
        Assert.EndsWith("lguest: killed by gdb\n", launcher.Error, StringComparison.Ordinal);
    }

    private static WaitingLauncher Start(string engine, string guest, params string[] words)
    {
        WaitingLauncher launcher = new(["--engine=" + engine, "--gdb=unix:GDB", "--gdb-wait", "16m", Needs.Guest(guest), .. words]);
        launcher.WaitForSocket(launcher.GdbSocket);
        return launcher;
    }
}
