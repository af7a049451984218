// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Lguest.GuestAbi;

namespace Lguest.Engine.Hypervisor;

// [H:100] /dev/lguest, without the device
// The other side of the wall of [P:190]: the same writes, the same reads, the same answers and error numbers as the genuine one,
// so that a launcher of 2007 would find its way. Behind it is a Guest. It has an owner: the thread that made it, and no other may
// touch it, except to ask it to come out.
/// <summary>
/// <c>/dev/lguest</c> without the device: the reads and writes of abi.md §5 in front of a <see cref="Guest"/>, with the
/// answers that the genuine one gives.
/// </summary>
public sealed class EngineChannel : IGuestChannel, IDmaBindings
{
    private const int WordSize = sizeof(uint);

    /// <summary>A kernel that reaches this high leaves the switcher no room (its page directory entry is the last).</summary>
    private const uint HighestPageOffset = 0xFFC0_0000;

    private readonly Func<OpenedEngine> _open;
    private readonly AbiGeneration _abi;
    private readonly Lock _breakLock = new();
    private readonly ManualResetEventSlim _released = new(initialState: true);
    private volatile Guest? _guest;
    private volatile bool _closed;
    private Thread? _owner;

    /// <summary>A channel that has no guest yet.</summary>
    /// <param name="open">Makes the processor, when INITIALIZE comes; its exceptions are thrown there.</param>
    /// <param name="abi">The generation the guest speaks.</param>
    public EngineChannel(Func<OpenedEngine> open, AbiGeneration abi)
    {
        _open = open;
        _abi = abi;
    }

    /// <summary>The guest behind the channel, for debuggers and statistics; null before INITIALIZE.</summary>
    public Guest? Guest => _guest;

    /// <summary>The engine that the guest got; null before INITIALIZE.</summary>
    public EngineChoice? Engine { get; private set; }

    /// <summary>What the guest is told as its number (lguest_data): its driver makes its Ethernet address of it.</summary>
    /// <remarks>By default unique among the guests of this host. To be set before INITIALIZE.</remarks>
    public ushort GuestId { get; set; } = (ushort)Environment.ProcessId;

    /// <inheritdoc/>
    public event Action? BindingsChanged;

    /// <inheritdoc/>
    public DmaBinding? FindBinding(uint key) => _guest?.Dma.Find(key);

    /// <inheritdoc/>
    public long Write(ReadOnlyMemory<byte> words)
    {
        ReadOnlySpan<byte> input = words.Span;
        if (_closed)
            return -Errno.EINVAL;
        if (input.Length < WordSize)
            return -Errno.EFAULT;
        ChannelRequest request = (ChannelRequest)BinaryPrimitives.ReadUInt32LittleEndian(input);
        ReadOnlySpan<byte> arguments = input[WordSize..];
        Guest? guest = _guest;
        if (guest is null)
            return request == ChannelRequest.Initialize ? Initialize(arguments) : -Errno.EINVAL;
        if (guest.DeathReason is not null || guest.ResetRequested)
        {
            // Whoever waits in BREAK 1 since before the guest died must be let go all the same.
            if (request == ChannelRequest.Break)
                _released.Set();
            return -Errno.ENOENT;
        }

        if (Thread.CurrentThread != _owner && request != ChannelRequest.Break)
            return -Errno.EPERM;
        switch (request)
        {
            case ChannelRequest.Initialize:
                return -Errno.EBUSY;
            case ChannelRequest.GetDma:
            case ChannelRequest.Irq:
            case ChannelRequest.Break:
                break;
            default:
                return -Errno.EINVAL;
        }

        if (arguments.Length < WordSize)
            return -Errno.EFAULT;
        uint argument = BinaryPrimitives.ReadUInt32LittleEndian(arguments);
        return request switch
        {
            ChannelRequest.GetDma => GetDma(guest, argument),
            ChannelRequest.Irq => RaiseIrq(guest, argument),
            _ => Break(guest, argument != 0),
        };
    }

    /// <inheritdoc/>
    public long Read(Memory<byte> buffer)
    {
        Guest? guest = _guest;
        if (guest is null)
            return -Errno.EINVAL;
        if (Thread.CurrentThread != _owner)
            return -Errno.EPERM;
        if (guest.ResetRequested)
            return -Errno.ERESTART;
        if (guest.DeathReason is { } reason)
        {
            // Killed while its owner was busy elsewhere: a debugger has not seen it yet.
            if (guest.HoldForDebugger())
                return -Errno.EAGAIN;
            byte[] text = Encoding.Latin1.GetBytes(reason + '\0');
            int length = Math.Min(text.Length, buffer.Length);
            text.AsSpan(0, length).CopyTo(buffer.Span);
            return length;
        }

        return buffer.Length < 2 * WordSize ? -Errno.EFAULT : guest.Run(buffer.Span);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Under the lock, since a break may be on its way from another thread: it must not reach into what is freed here.
        lock (_breakLock)
        {
            if (_closed)
                return;
            _closed = true;
            _guest?.Dispose();
            _guest = null;
        }

        // Whoever waits for a break to be released must not wait for ever.
        _released.Set();
    }

    private long Initialize(ReadOnlySpan<byte> arguments)
    {
        const int count = 4;
        if (arguments.Length < count * WordSize)
            return -Errno.EFAULT;
        uint pfnLimit = BinaryPrimitives.ReadUInt32LittleEndian(arguments);
        uint pageDirectory = BinaryPrimitives.ReadUInt32LittleEndian(arguments[WordSize..]);
        uint entry = BinaryPrimitives.ReadUInt32LittleEndian(arguments[(2 * WordSize)..]);
        uint pageOffset = BinaryPrimitives.ReadUInt32LittleEndian(arguments[(3 * WordSize)..]);
        if (pageOffset >= HighestPageOffset)
            return -Errno.EINVAL;
        OpenedEngine opened = _open();
        try
        {
            _guest = new Guest(opened.Core, _abi, pfnLimit, pageDirectory, entry, pageOffset) { GuestId = GuestId };
        }
        catch
        {
            opened.Core.Dispose();
            throw;
        }

        _owner = Thread.CurrentThread;
        Engine = opened.Choice;
        _guest.Dma.Changed = () => BindingsChanged?.Invoke();
        return count * WordSize;
    }

    private static long GetDma(Guest guest, uint key)
    {
        if (!guest.Dma.IsValidKey(key))
        {
            guest.Kill("bad registered DMA buffer");
            return -Errno.ENOENT;
        }

        try
        {
            uint? buffer = guest.Dma.FindFree(key);
            guest.TellTaken(key, buffer);
            return buffer is { } address ? address : -Errno.ENOENT;
        }
        catch (GuestAddressException e)
        {
            guest.Kill($"bad read address 0x{e.Address:x} len {e.Length}");
            return -Errno.ENOENT;
        }
    }

    private static long RaiseIrq(Guest guest, uint irq)
    {
        if (irq >= Vectors.IrqCount)
            return -Errno.EINVAL;
        guest.RaiseIrq(irq);
        return 0;
    }

    private long Break(Guest guest, bool on)
    {
        lock (_breakLock)
        {
            if (_closed)
                return -Errno.EINVAL;
            if (!on)
            {
                guest.SetBreak(on: false);
                _released.Set();
                return 0;
            }

            _released.Reset();
            guest.SetBreak(on: true);
        }

        _released.Wait();
        return 0;
    }
}
