// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Devices;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Processor;
using Lguest.Inspect.Monitor;
using Lguest.Inspect.Symbols;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Trace;

/// <summary>
/// Turns what happens to a guest into lines of a trace. An event appears once, under the first of its categories that is on:
/// a SET_PTE from the ring is <c>async</c>, or <c>mmu</c> when only that is traced.
/// </summary>
public sealed class Tracer : IGuestObserver, IDisposable
{
    private readonly TraceWriter _writer;
    private readonly Disassembler _disassembler;
    private readonly long _start;
    private IDebugPort? _guest;

    /// <summary>A tracer that sees nothing yet.</summary>
    /// <param name="request">What to trace, and how.</param>
    /// <param name="file">Where to; null: standard error. The tracer closes it.</param>
    /// <param name="target">For its symbols.</param>
    /// <param name="say">Hears when the trace cannot be written.</param>
    /// <param name="start">When the guest started, as of <see cref="Stopwatch.GetTimestamp"/>.</param>
    public Tracer(TraceRequest request, OutputFile? file, DebugTarget target, Action<string> say, long start)
    {
        _writer = new TraceWriter(request.Json, file, target.Symbols, say);
        _disassembler = new Disassembler(target.Symbols);
        Categories = request.Categories;
        _start = start;
    }

    /// <summary>What is traced now.</summary>
    public TraceCategories Categories { get; set; }

    /// <inheritdoc/>
    public GuestEvents Wants =>
        If(TraceCategories.Hypercalls | TraceCategories.Async | TraceCategories.Mmu | TraceCategories.Dma, GuestEvents.Hypercalls)
        | If(TraceCategories.Interrupts, GuestEvents.Interrupts)
        | If(TraceCategories.Traps | TraceCategories.Mmu, GuestEvents.Traps)
        | If(TraceCategories.Traps, GuestEvents.SystemCalls)
        | If(TraceCategories.Dma, GuestEvents.Buffers)
        | If(TraceCategories.Exec, GuestEvents.Instructions);

    /// <summary>Looks at a guest from now on. On the thread that owns it.</summary>
    public void Attach(IDebugPort guest)
    {
        _guest = guest;
        guest.Observer = this;
    }

    /// <summary>Looks no more, and writes out what it saw. On the thread that owns the guest.</summary>
    public void Detach()
    {
        if (_guest != null)
            _guest.Observer = null;
        _guest = null;
        _writer.Flush();
    }

    /// <inheritdoc/>
    public void Hypercall(HypercallKind kind, in GuestCall call, bool isAsync)
    {
        Hypercall known = HypercallTable.Of(kind);
        string? category = isAsync && Has(TraceCategories.Async) ? "async"
            : !isAsync && Has(TraceCategories.Hypercalls) ? "hypercalls"
            : known.Category == HypercallCategory.Paging && Has(TraceCategories.Mmu) ? "mmu" : null;
        if (category != null)
        {
            Begin(category, known.Name);
            if (kind == HypercallKind.None)
                _writer.Decimal("number", call.Number);
            for (int i = 0; i < known.Arguments.Length; i++)
                _writer.Hex(known.Arguments[i].Name, call.Argument(i));
            EndAtEip();
        }

        if (kind == HypercallKind.SendDma && Has(TraceCategories.Dma))
        {
            Begin("dma", "send");
            _writer.Hex("key", call.First);
            _writer.Text("buffer", DeviceView.Buffer(_guest!.Memory, call.Second));
            EndAtEip();
        }
        else if (kind == HypercallKind.BindDma && Has(TraceCategories.Dma))
        {
            Begin("dma", (call.Third & 0xFF) == 0 ? "unbind" : "bind");
            _writer.Hex("key", call.First);
            _writer.Hex("array", call.Second);
            _writer.Decimal("buffers", call.Third >> 8);
            _writer.Decimal("irq", call.Third & 0xFF);
            EndAtEip();
        }
    }

    /// <inheritdoc/>
    public void HypercallDone(HypercallKind kind, uint result)
    {
        Hypercall known = HypercallTable.Of(kind);
        if (!known.HasResult || !(Has(TraceCategories.Hypercalls) || (kind == HypercallKind.BindDma && Has(TraceCategories.Dma))))
            return;
        Begin("result", known.Name);
        _writer.Hex("eax", result);
        _writer.End();
    }

    /// <inheritdoc/>
    public void IrqRaised(uint irq)
    {
        if (!Has(TraceCategories.Interrupts))
            return;
        Begin("interrupts", "raised");
        _writer.Decimal("irq", irq);
        _writer.End();
    }

    /// <inheritdoc/>
    public void IrqDelivered(uint irq)
    {
        if (!Has(TraceCategories.Interrupts))
            return;
        Begin("interrupts", "delivered");
        _writer.Decimal("irq", irq);
        EndAtEip();
    }

    /// <inheritdoc/>
    public void Trap(uint vector, uint errorCode, uint faultAddress)
    {
        bool isPageFault = vector == ExceptionVector.PageFault;
        string? category = Has(TraceCategories.Traps) ? "traps" : isPageFault && Has(TraceCategories.Mmu) ? "mmu" : null;
        if (category == null)
            return;
        Begin(category, Vectors.NameOf(vector));
        _writer.Decimal("vector", vector);
        if (isPageFault)
            _writer.Hex("address", faultAddress);
        if (ExceptionVector.PushesErrorCode(vector))
            _writer.Hex("error", errorCode);
        if (vector == Vectors.SystemCall)
            _writer.Decimal("eax", _guest!.Registers[GeneralRegister.Eax]);
        _writer.Decimal("ring", _guest!.Registers.Cpl);
        EndAtEip();
    }

    /// <inheritdoc/>
    public void Slept(long nanoseconds)
    {
        if (Has(TraceCategories.Interrupts))
        {
            Begin("interrupts", "slept");
            _writer.Decimal("ns", nanoseconds);
            _writer.End();
        }

        // A guest with nothing to do is a good time; and whoever reads along sees what led to it.
        _writer.Flush();
    }

    /// <inheritdoc/>
    public void BufferTaken(uint key, uint? buffer)
    {
        if (!Has(TraceCategories.Dma))
            return;
        Begin("dma", buffer == null ? "none free" : "take");
        _writer.Hex("key", key);
        if (buffer is { } address)
            _writer.Text("buffer", DeviceView.Buffer(_guest!.Memory, address));
        _writer.End();
    }

    /// <inheritdoc/>
    public void Instruction()
    {
        Begin("exec", "ring " + _guest!.Registers.Cpl);
        _writer.Text("code", _disassembler.At(_guest));
        EndAtEip();
    }

    /// <inheritdoc/>
    public void Ended(string? reason)
    {
        // A kernel powers off by crashing with these words; that is no death.
        string kind = reason switch { null => "restart", GuestDeath.PowerDown => "power-off", _ => "death" };
        Begin("end", kind);
        if (kind == "death")
            _writer.Text("reason", reason);
        EndAtEip();
        _writer.Flush();
    }

    /// <summary>A disk has carried out a request.</summary>
    /// <param name="device">Which.</param>
    /// <param name="request">What was asked, and whether it was done.</param>
    public void Block(string device, in DiskRequest request)
    {
        if (!Has(TraceCategories.Block))
            return;
        Begin("block", request.Operation switch { DiskOperation.Read => "read", DiskOperation.Write => "write", DiskOperation.Flush => "flush", _ => "unknown" });
        _writer.Text("device", device);
        _writer.Decimal("sector", (long)request.Sector);
        _writer.Decimal("bytes", request.Bytes);
        _writer.Text("result", request.IsDone ? "Ok" : "Error");
        _writer.End();
    }

    /// <summary>A network device has taken a packet.</summary>
    public void Packet(string device, uint bytes)
    {
        if (!Has(TraceCategories.Net))
            return;
        Begin("net", "sent");
        _writer.Text("device", device);
        _writer.Decimal("bytes", bytes);
        _writer.End();
    }

    /// <summary>A network device has given the guest a packet.</summary>
    public void PacketReceived(string device, uint bytes)
    {
        if (!Has(TraceCategories.Net))
            return;
        Begin("net", "received");
        _writer.Text("device", device);
        _writer.Decimal("bytes", bytes);
        _writer.End();
    }

    /// <summary>The guest has got what was typed.</summary>
    public void ConsoleInput(uint bytes)
    {
        if (!Has(TraceCategories.Console))
            return;
        Begin("console", "input");
        _writer.Decimal("bytes", bytes);
        _writer.End();
    }

    /// <summary>The guest has said something.</summary>
    public void Console(ReadOnlySpan<char> text)
    {
        if (!Has(TraceCategories.Console))
            return;
        Begin("console", "output");
        _writer.Text("text", text);
        _writer.End();
    }

    /// <summary>The guest has accessed a device's registers or its configuration.</summary>
    public void Access(string device, in DeviceAccess access)
    {
        if (!Has(TraceCategories.Access))
            return;
        Begin("access", (access.IsWrite ? "write " : "read ") + (access.Kind == DeviceAccessKind.Register ? "register" : "configuration"));
        _writer.Text("device", device);
        _writer.Decimal("offset", access.Offset);
        _writer.Decimal("width", access.Width);
        _writer.Hex("value", access.Value);
        EndAtEip();
    }

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();

    private GuestEvents If(TraceCategories any, GuestEvents events) => Has(any) ? events : GuestEvents.None;

    private bool Has(TraceCategories category) => (Categories & category) != 0;

    private void Begin(string category, string name) =>
        _writer.Begin((Stopwatch.GetTimestamp() - _start) * (1_000_000_000 / Stopwatch.Frequency), category, name);

    private void EndAtEip()
    {
        _writer.Place(_guest!.Registers.Eip);
        _writer.End();
    }
}
