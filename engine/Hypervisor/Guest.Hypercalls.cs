// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Hypervisor;

/// <summary>What a guest can ask for (abi.md §3.3). A grossly bad call kills it, with a reason.</summary>
public sealed unsafe partial class Guest
{
    private const int CrashTextBytes = 128;
    private const int GeneralRegisters = 8;

    /// <summary>Why a guest shuts down that wants to begin anew.</summary>
    private const uint RestartReason = 2;

    private GuestData? _data;
    private int _nextCall;
    private uint _noIrqStart;
    private uint _noIrqEnd;
    private uint? _noIrqReturn;
    private uint _stackSelector;
    private uint _stackPointer;
    private uint _stackPages;

    /// <summary>
    /// First the ring, in order; then the call that the guest made, if it made one. When the ring sent DMA to the launcher the
    /// rest waits until the launcher has taken it.
    /// </summary>
    private void DoHypercalls()
    {
        if (_data is null)
        {
            if (_hypercallPending)
            {
                _hypercallPending = false;
                Initialize();
            }

            return;
        }

        DoAsyncCalls(_data);
        if (_requestPending || !_hypercallPending || _dead is not null)
            return;
        _hypercallPending = false;
        GuestCall call = CallInRegisters();
        Call(ref call, isAsync: false);
        _cpu->Arch.Registers[(int)GeneralRegister.Eax] = call.Number;
    }

    private GuestCall CallInRegisters() => _convention.InRegisters(new ReadOnlySpan<uint>(_cpu->Arch.Registers, GeneralRegisters));

    // [H:150+30] The first call
    // The other end of [G:120]. The address is checked once, with the size of the whole structure; from now on the host may write
    // there. The stretch in which no interrupt may come is read now and never again: a guest that changed it later would only fool
    // itself.
    private void Initialize()
    {
        GuestCall call = CallInRegisters();
        uint address = call.First;
        HypercallKind kind = _calls.Decode(call.Number);
        BeforeCall(kind, in call, isAsync: false);
        if (kind != HypercallKind.LguestInit)
        {
            Kill($"hypercall {(int)call.Number} before LGUEST_INIT");
            return;
        }

        if (IsAnothersCall(address) is { } other)
        {
            Kill($"this is no kernel of Linux {_abi}: its first call is that of {other}");
            return;
        }

        if (!_memory.Contains(address, _abi.Data.Size))
        {
            Kill($"bad guest page {address:x8}");
            return;
        }

        _memory.AnnounceWrite(address, _abi.Data.Size);
        _data = new GuestData(_memory, address, _abi.Data);
        Context = _context with { Data = _data };
        (_noIrqStart, _noIrqEnd) = _data.NoIrq; // Read once, at LGUEST_INIT
        _noIrqReturn = _data.NoIrqReturn; // Likewise
        if (_data.SystemCallVector is { } vector && vector != Vectors.SystemCall)
        {
            Kill("bad syscall vector");
            return;
        }

        if (_data.KernelAddress is { } kernel && !TakeKernelAddress(kernel))
            return;
        _data.ReserveMem = _abi.Paging.ReservedBytes;
        _data.TscKhz = _clock.TscKhz;

        // Unique among the guests of this host, since their Ethernet addresses are made of it.
        _data.GuestId = _guestId;
        _data.SetTime(_clock.Wall);
        MakeFirstTables(_data);
    }

    /// <summary>
    /// Whether the first call is that of a kernel with another interface, as one may have that its vendor has changed: the structure is in
    /// the other register, or is another.
    /// </summary>
    private GuestDataLayout? IsAnothersCall(uint address)
    {
        if (_abi.Data.KernelAddress == null || FirstCall.LayoutAt(_memory, address) == _abi.Data)
            return null;
        uint* registers = _cpu->Arch.Registers;
        return FirstCall.LayoutAt(_memory, registers[(int)GeneralRegister.Ebx]) ?? FirstCall.LayoutAt(_memory, registers[(int)GeneralRegister.Edx]);
    }

    /// <summary>A guest that begins without page tables says only now where its kernel will be.</summary>
    private bool TakeKernelAddress(uint address)
    {
        // No kernel has ever been anywhere but where a page table begins, and engines count on it.
        bool isGood = address < _abi.Paging.ReservedStart && address % FirstTables.TableSpan == 0;
        if (isGood)
            _pageOffset = address;
        else
            Kill("bad kernel address");
        return isGood;
    }

    // [H:160+18] The ring
    // The other end of [G:130]. Host and guest each keep a place in the ring, and they agree as long as nobody skips a slot. A
    // slot is copied before it is looked at, and marked as done when the call is made.
    private void DoAsyncCalls(GuestData data)
    {
        for (int i = 0; i < GuestData.RingSize; i++)
        {
            int n = _nextCall;
            if (!data.IsPending(n))
                break;
            _nextCall = (n + 1) % GuestData.RingSize;

            // Read once: carried out is what was copied, whatever becomes of the slot meanwhile.
            GuestCall call = data.CallIn(n, _convention);
            Call(ref call, isAsync: true);
            data.SetDone(n);
            if (_requestPending || _dead is not null)
                break;
        }
    }

    /// <summary>One call; only some have a result, in %eax: the others leave their number there.</summary>
    private void Call(ref GuestCall call, bool isAsync)
    {
        HypercallKind kind = _calls.Decode(call.Number);
        BeforeCall(kind, in call, isAsync);
        Call(kind, ref call);
        if (Wants(GuestEvents.Hypercalls))
            _observer!.HypercallDone(kind, call.Number);
    }

    // [H:170+30] What the calls do
    // One line each, mostly: the descriptor table is copied, a gate is set, the core is told to forget translations. A call that
    // makes no sense kills the guest, with the words that the genuine hypervisor would have used. It never harms anybody else.
    private void Call(HypercallKind kind, ref GuestCall call)
    {
        switch (kind)
        {
            case HypercallKind.FlushAsync:
                break;
            case HypercallKind.LguestInit:
                Kill("already have lguest_data");
                break;
            case HypercallKind.Crash:
                Crash(call.First);
                break;
            case HypercallKind.Shutdown when call.Second == RestartReason:
                _reset = true;
                break;
            case HypercallKind.Shutdown:
                Crash(call.First);
                break;
            case HypercallKind.LoadGdtEntry:
                LoadDescriptor(call.First, call.Second | ((ulong)call.Third << 32));
                break;
            case HypercallKind.SendInterrupts:
                break;
            case HypercallKind.LoadGdt:
                LoadGdt(call.First, call.Second);
                break;
            case HypercallKind.LoadTls:
                LoadDescriptors(call.First, Selectors.TlsFirst, Selectors.TlsCount);
                break;
            case HypercallKind.NewPageTable:
                LoadPageDirectory(call.First);
                break;
            case HypercallKind.FlushTlb:
                if (call.First == 0)
                {
                    _core.FlushUserTlb();
                    break;
                }

                _core.FlushTlb();
                PinStack();
                break;
            case HypercallKind.LoadIdtEntry:
                if (_idt.Set(call.First, call.Second, call.Third) is { } reason)
                    Kill(reason);
                UpdateSystemCall();
                break;
            case HypercallKind.SetStack:
                SetStack(call.First, call.Second, call.Third);
                break;
            case HypercallKind.SetTaskSwitched:
                _cpu->Arch.TaskSwitched = call.First;
                break;
            case HypercallKind.SetClockEvent:
                SetClockEvent(call.First);
                break;
            case HypercallKind.Halt:
                _halted = true;
                break;
            case HypercallKind.BindDma:
                if (!Dma.IsValidKey(call.First))
                    Kill($"bad dma key {Hex(call.First)}");
                else
                    call.Number = Dma.Bind(call.First, call.Second, (ushort)(call.Third >> 8), call.Third & 0xFF) ? 1u : 0; // The count has 16 bits.
                break;
            case HypercallKind.SendDma:
                SendDma(call.First, call.Second);
                break;
            case HypercallKind.Notify:
                Ask(RunExit.Notify(call.First));
                break;
            case HypercallKind.SetPte:
                SetPte(call.First, call.Second, call.Third);
                break;
            case HypercallKind.SetPmd:
                // The kernel tries to map over the switcher early on: that is ignored.
                if (_core.Walker.IsGuestsEntry(call.Second))
                    _core.InvalidateDirectoryEntry(call.First, call.Second);
                break;
            case HypercallKind.SetPgd:
                SetTopEntry(call.First, call.Second);
                break;
            case HypercallKind.SetPmdPae:
                _core.InvalidateMiddleEntry(call.First, call.Second);
                break;
            case HypercallKind.TimerRead:
                call.Number = (uint)(_clock.Monotonic - _periodStart);
                break;
            case HypercallKind.TimerStart:
                StartPeriodicTimer(call.First);
                break;
            case HypercallKind.GetWallclock:
                call.Number = (uint)(_clock.Wall / 1_000_000_000);
                break;
            default:
                Kill($"Bad hypercall {(int)call.Number}");
                break;
        }
    }

    /// <summary>NEW_PGTABLE. The first one of a guest that began without tables says what they are, too.</summary>
    private void LoadPageDirectory(uint physical)
    {
        if (_core.Walker.Format == PagingFormat.Linear)
            LeaveLinearMode(_core.Walker.FormatOf(physical));
        _pageDirectory = physical;
        _core.LoadPageDirectory(physical);
    }

    private void Crash(uint address)
    {
        // The text may lie close to the end of memory: 128 bytes are the most it can be, not what it must be.
        uint length = CrashTextBytes;
        while (length > 0 && !_memory.Contains(address, length))
            length--;
        if (length == 0)
        {
            Kill($"bad read address {Hex(address)} len {CrashTextBytes}");
            return;
        }

        ReadOnlySpan<byte> text = _memory.Read(address, Math.Min(length, CrashTextBytes - 1)).ToArray(); // Read once
        int end = text.IndexOf((byte)0);
        Kill("CRASH: " + Encoding.Latin1.GetString(end < 0 ? text : text[..end]));
    }

    private void SetStack(uint selector, uint pointer, uint pages)
    {
        if ((selector & 3) != Selectors.GuestRing)
        {
            Kill($"bad stack segment {(int)selector}");
            return;
        }

        if (pages > 2)
        {
            Kill($"bad stack pages {pages}");
            return;
        }

        _stackSelector = selector;
        _stackPointer = pointer;
        _stackPages = pages;
        PinStack();
        UpdateSystemCall();
    }

    /// <summary>A core that delivers system calls by itself must know how; it does not while somebody wants to see each. It hears so when it runs.</summary>
    private void UpdateSystemCall()
    {
        if (_data is null)
            return;
        Gate gate = _idt[Vectors.SystemCall];
        bool direct = gate.Present && gate.Dpl == 3 && _stackSelector != 0
            && !Wants(GuestEvents.SystemCalls);
        Context = _context with { SystemCallHandler = direct ? gate.Handler : null, SystemCallMasks = direct && gate.IsInterruptGate, StackSelector = _stackSelector, StackPointer = _stackPointer };
    }

    /// <summary>The kernel's stack must be there whenever a trap comes.</summary>
    private void PinStack()
    {
        for (uint i = 0; i < _stackPages; i++)
        {
            uint address = _stackPointer - 1 - (i * Page.Size);
            if (!_core.TouchAsKernel(address, out string? reason))
                Kill(reason ?? $"bad stack page {Hex(address)}");
        }
    }

    // [H:230+13] Off to the launcher
    // All that a hypervisor does with devices: it notes what was sent where, and the loop of [H:130] goes back to its launcher
    // with it.
    private void SendDma(uint key, uint dma)
    {
        if (!Dma.IsValidKey(key))
        {
            Kill("bad sending DMA key");
            return;
        }

        Ask(RunExit.Dma(dma, key));
    }

    /// <summary>The guest comes out, and goes on when that has been done.</summary>
    private void Ask(in RunExit request)
    {
        _requestPending = true;
        _request = request;
    }

    /// <summary>SET_PGD. The entry that is the host's may be named, and nothing comes of it.</summary>
    private void SetTopEntry(uint table, uint index)
    {
        uint entries = _core.Walker.TopIndex(uint.MaxValue) + 1;
        if (_core.Walker.IsGuestsEntry(index))
            _core.InvalidateDirectoryEntry(table, index);
        else if (index > entries && _abi.Paging.FaultsInReserved)
            Kill($"Attempt to set pgd {index}/{entries}");
    }

    // [H:190] A hint
    // The guest has changed an entry already, in its own memory ([G:150]); we are told so that whatever was made of the old one
    // goes. The entry that comes with the call is looked at only as far as the genuine host looks, to kill where it kills. What
    // counts is what will be found in memory when somebody walks there the next time ([I:190]).
    private void SetPte(uint pageDirectory, uint address, uint entry)
    {
        const uint used = (uint)(PageFlags.Accessed | PageFlags.Dirty);
        if (address >= _abi.Paging.ReservedStart)
        {
            Kill(_abi.Paging.FaultsInReserved ? "attempt to set pte into Switcher pages" : PageWalker.ReservedPages);
            return;
        }

        // An entry marked as used is taken over at once, and so looked at at once.
        if ((entry & (uint)PageFlags.Present) != 0 && (entry & used) != 0 && _core.Walker.IsDeadly(entry))
        {
            Kill("bad page table entry");
            return;
        }

        _core.InvalidatePage(pageDirectory, address);
    }
}
