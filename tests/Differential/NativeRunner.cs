// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.Native;
using static Tmds.Linux.LibC;
using HostArchitecture = System.Runtime.InteropServices.Architecture;

namespace Lguest.Tests.Differential;

/// <summary>
/// This processor, in a compatibility-mode segment at privilege level 3. One for the whole process, since it maps fixed
/// addresses and takes over the fault signals (passing on what is not its own); its users take turns.
/// </summary>
internal sealed unsafe class NativeRunner : ISnippetRunner
{
    // Far from what snippets are likely to reach.
    private const uint Context = 0x3B5D_0000;
    private const uint Stubs = Layout.Exit;
    private const int FixedNoReplace = 0x10_0000;
    private const int Populate = 0x8000;
    private const int ContextPage = 5, StubPage = 6, PageCount = 7;

    // Everything but the signals of faults.
    private const ulong BlockedSignals = ~((1UL << (SignalChain.Illegal - 1)) | (1UL << (SignalChain.Trap - 1))
        | (1UL << (SignalChain.Bus - 1)) | (1UL << (SignalChain.FloatingPoint - 1)) | (1UL << (SignalChain.Segmentation - 1)));

    private static readonly Lazy<(NativeRunner? Runner, string? Reason)> s_instance = new(Create);

    private readonly byte* _memory;
    private readonly NativeStubs _stubs;
    private readonly Lock _turn = new();

    private NativeRunner()
    {
        int fd = MemoryMap.CreateMemoryFile("lguest-snippets"u8, PageCount * Layout.PageSize);
        try
        {
            _memory = MemoryMap.Map(null, PageCount * Layout.PageSize, PROT_READ | PROT_WRITE, MAP_SHARED | Populate, fd, 0);
            for (int page = 0; page < Layout.Pages.Count; page++)
            {
                (uint linear, bool writable) = Layout.Pages[page];
                MapPage(linear, PROT_READ | (writable ? PROT_WRITE : 0) | (linear == Layout.Code ? PROT_EXEC : 0), fd, page);
            }

            MapPage(Context, PROT_READ | PROT_WRITE, fd, ContextPage);
            MapPage(Stubs, PROT_READ | PROT_EXEC, fd, StubPage);
        }
        finally
        {
            close(fd);
        }

        _stubs = new NativeStubs(Stubs, Context);
        _stubs.Bytes.CopyTo(new Span<byte>(_memory + (StubPage * Layout.PageSize), (int)Layout.PageSize));
        *At<ulong>(NativeStubs.BlockedSignals) = BlockedSignals;
        Probe();
        ReadOnlySpan<int> signals = [SignalChain.Illegal, SignalChain.Trap, SignalChain.Bus, SignalChain.FloatingPoint, SignalChain.Segmentation];
        SignalChain.Add((byte*)_stubs.Link, signals);
        AlternateStack.UseFor(signals);
        GsSelector = LocalDescriptors.TryAdd(0, Layout.Data, Layout.GsLimit);
        *At<uint>(NativeStubs.GsSelector) = GsSelector;
    }

    /// <summary>Why there is no native runner on this host; null when there is one.</summary>
    public static string? Unavailable => s_instance.Value.Reason;

    /// <summary>The runner.</summary>
    public static NativeRunner Instance => s_instance.Value.Runner ?? throw new InvalidOperationException(Unavailable);

    /// <summary>0 when %gs could not be set up.</summary>
    public ushort GsSelector { get; }

    /// <inheritdoc/>
    public void Run(Snippet snippet, Outcome outcome)
    {
        AlternateStack.Ensure();
        lock (_turn)
        {
            snippet.WriteCode(new Span<byte>(_memory, (int)Layout.PageSize));
            Span<byte> image = new(_memory + Layout.PageSize, Layout.ImageBytes);
            snippet.Memory.CopyTo(image);
            snippet.Before.Registers.CopyTo(new Span<uint>(At<uint>(NativeStubs.In), 8));
            snippet.Before.Fx.CopyTo(new Span<byte>(At<byte>(NativeStubs.FxIn), SnippetState.FxBytes));
            *At<ulong>(NativeStubs.InFlags) = snippet.Before.Flags;
            *At<uint>(NativeStubs.Target) = snippet.Start;
            *At<ushort>(NativeStubs.Target + 4) = NativeStubs.Code32;
            *At<uint>(NativeStubs.Faulted) = 0;

            ((delegate* unmanaged[SuppressGCTransition]<void>)_stubs.Enter)();

            new Span<uint>(At<uint>(NativeStubs.Out), 8).CopyTo(outcome.After.Registers);
            new Span<byte>(At<byte>(NativeStubs.FxOut), SnippetState.FxBytes).CopyTo(outcome.After.Fx);
            image.CopyTo(outcome.Memory);
            outcome.After.Flags = *At<uint>(NativeStubs.OutFlags);
            bool faulted = *At<uint>(NativeStubs.Faulted) != 0;
            outcome.After.Eip = faulted ? *At<uint>(NativeStubs.OutEip) : snippet.End;
            outcome.Vector = faulted ? *At<int>(NativeStubs.Trap) : Outcome.NoVector;
            outcome.ErrorCode = faulted ? *At<uint>(NativeStubs.Error) : 0;
            outcome.FaultAddress = outcome.Vector == 14 ? *At<uint>(NativeStubs.Address) : 0;
        }
    }

    private static (NativeRunner? Runner, string? Reason) Create()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != HostArchitecture.X64)
            return (null, $"needs an x86-64 processor and Linux, and this is {HostProcessor.Description} under {RuntimeInformation.OSDescription}");
        try
        {
            return (new NativeRunner(), null);
        }
        catch (Exception e) when (e is Win32Exception or PlatformNotSupportedException or InvalidOperationException)
        {
            return (null, $"this host ({HostProcessor.Description}) does not run 32-bit code segments: {e.Message}");
        }
    }

    private static T* At<T>(int field)
        where T : unmanaged => (T*)(Context + (uint)field);

    private static void MapPage(uint linear, int protection, int fd, int page)
    {
        byte* mapped = MemoryMap.Map(
            (void*)linear, Layout.PageSize, protection, MAP_SHARED | Populate | FixedNoReplace, fd, (ulong)page * Layout.PageSize);
        if (mapped != (byte*)linear)
            throw new PlatformNotSupportedException($"address 0x{linear:x8} is taken");
    }

    private void Probe()
    {
        const int exited42 = 42 << 8;
        *At<int>(NativeStubs.WaitStatus) = -1;
        ((delegate* unmanaged<void>)_stubs.Probe)();
        int status = *At<int>(NativeStubs.WaitStatus);
        if (status != exited42)
            throw new PlatformNotSupportedException($"a process that tried it ended with status 0x{status:x}");
    }
}
