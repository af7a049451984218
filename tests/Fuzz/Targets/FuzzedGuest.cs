// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Net.Sockets;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Engine;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Inspect;
using Lguest.Inspect.Sockets;
using Lguest.Inspect.Target;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Launcher.Options;
using Lguest.Launcher.Run;
using Lguest.Tests.Inspect;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// A guest in this process, with gdb's and lguest ctl's sockets, as a launcher has it. When it is killed the next one begins. It
/// runs for as long as the process does.
/// </summary>
internal sealed class FuzzedGuest
{
    /// <summary>Long enough for a loaded machine; a case that is not answered by then hangs, which the watch sees.</summary>
    private const int Patience = 60_000;

    private readonly DebugHub _hub;
    private readonly KernelImage _kernel;
    private readonly GuestLayout _layout;
    private readonly HostPipe _input = new();
    private readonly FileStream _nowhere = new("/dev/null", FileMode.Open, FileAccess.Write);
    private string? _bug;

    public FuzzedGuest()
    {
        TemporaryDirectory directory = new();
        ControlSocket = Path.Combine(directory.Path, "control");
        GdbSocket = Path.Combine(directory.Path, "gdb");

        // inc (%esp); push %eax; pop %ecx; mov %ecx,-64(%esp); jmp back.
        string path = directory.File("kernel", TinyKernel.Elf(0xFF, 0x04, 0x24, 0x50, 0x59, 0x89, 0x4C, 0x24, 0xC0, 0xEB, 0xF5));
        MemoryBanks banks = MemoryBanks.Parse("16m");
        _kernel = KernelLoader.Load(path, banks.Lowest.Length);
        _layout = GuestLayout.Plan(banks, _kernel, 0, 0);
        DebugOptions options = new() { Control = SocketAddress.ParseUnix("control", "unix:" + ControlSocket), Gdb = SocketAddress.ParseUnix("gdb", "unix:" + GdbSocket) };
        _hub = new DebugHub(options, OutputFiles.Open(new LaunchOptions { Kernel = path }).ToInspect(path, null), Hear, Stopwatch.GetTimestamp());

        // Says that no more files are opened; nothing is sealed.
        _hub.Seal("a fuzzer", opensNoMore: true);
        new Thread(RunGuests) { IsBackground = true, Name = "guest" }.Start();
    }

    public string ControlSocket { get; }

    public string GdbSocket { get; }

    /// <summary>Sends bytes to one of the sockets, and nothing after them.</summary>
    /// <param name="path">The socket.</param>
    /// <param name="bytes">Few enough for its buffer.</param>
    /// <param name="whole">Wait for the end of the answer; else for its beginning.</param>
    /// <returns>The answer.</returns>
    public static byte[] Ask(string path, ReadOnlySpan<byte> bytes, bool whole = true)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = Patience };
        socket.Connect(new UnixDomainSocketEndPoint(path));
        using MemoryStream answer = new();
        try
        {
            socket.Send(bytes);
            socket.Shutdown(SocketShutdown.Send);
            byte[] buffer = new byte[16384];
            for (int count; (count = socket.Receive(buffer)) > 0;)
            {
                answer.Write(buffer, 0, count);
                if (!whole)
                    break;
            }
        }
        catch (SocketException broken) when (broken.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            // It had enough of us.
        }

        return answer.ToArray();
    }

    /// <summary>Throws if the product has said that it made a mistake.</summary>
    public void ThrowIfBug()
    {
        if (Interlocked.Exchange(ref _bug, null) is { } bug)
            throw new FuzzFindException(bug);
    }

    private void Hear(string sentence)
    {
        if (sentence.Contains("internal error", StringComparison.Ordinal) || sentence.Contains(" failed: ", StringComparison.Ordinal))
            _bug = sentence;
    }

    private void RunGuests()
    {
        while (true)
        {
            using MappedGuestMemory memory = MappedGuestMemory.Create(_layout.Ranges);
            _kernel.CopyTo(memory);
            LinearMap.Write(memory, _layout);
            BootInformation.Write(memory, _layout, BootInformation.EncodeCommandLine(string.Empty, 255));
            ConsolePort port = new(_input.ReadEnd, (int)_nowhere.SafeFileHandle.DangerousGetHandle(), TimeProvider.System);
            DmaBus bus = new(memory, (uint)_layout.DescriptorPage);
            bus.Add(new DmaConsole(new ConsoleModel(port), _kernel.Generation.Bus!.ConsoleKey));
            GuestStart start = new((uint)(_layout.Top >> Page.Shift), (uint)_layout.PageDirectory, _kernel.Entry, _kernel.PageOffset);
            using Guest guest = GuestEngine.Start(EngineKind.Interpreter, memory, _kernel.Generation, start, out EngineChoice engine);
            bus.Connect(guest);
            using Waker waker = new(guest, bus.Inputs);
            _hub.Begin(new DebugTarget.Running(guest, bus, new GuestPlaces(_kernel.Path, (uint)_layout.DescriptorPage, []), port, engine.Name, engine.ToString(), waker.RequestBreak));
            RunOutcome outcome = new GuestLoop(guest, bus, port, waker, static () => false).Run();
            _hub.Finished(outcome.Words, outcome.End == RunEnd.Died);
            _hub.End();
        }
    }
}
