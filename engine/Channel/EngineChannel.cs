// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;

namespace Lguest.Engine.Channel;

// [H:100] /dev/lguest, without the device
// The other side of the wall of [P:190] as it was: the same writes, the same reads, the same answers and error numbers as the
// genuine one, so that a launcher of 2007 would find its way. All it does is to translate between bytes and a Guest's methods; our
// own launcher calls those.
/// <summary>
/// <c>/dev/lguest</c> without the device: the reads and writes of abi.md §5 in front of a <see cref="Hypervisor.Guest"/>, with the
/// answers that the genuine one gives.
/// </summary>
/// <param name="make">Makes the guest when INITIALIZE comes; its exceptions are thrown there.</param>
public sealed class EngineChannel(Func<GuestStart, Guest> make) : IGuestChannel
{
    private const int WordSize = sizeof(uint);

    private volatile Guest? _guest;
    private volatile bool _closed;
    private Thread? _owner;

    /// <summary>The guest of the channel, for debuggers and statistics; null before INITIALIZE.</summary>
    public Guest? Guest => _guest;

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
                guest.ReleaseBreak();
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
            ChannelRequest.GetDma => guest.TakeBuffer(argument) is { } buffer ? buffer : -Errno.ENOENT,
            ChannelRequest.Irq => guest.RaiseIrq(argument) ? 0 : -Errno.EINVAL,
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

        // That the guest has died is one answer, and why is the next; who was killed by a write gives the reason at once.
        bool wasDead = guest.DeathReason is not null;
        if (!wasDead && buffer.Length < 2 * WordSize)
            return -Errno.EFAULT;
        RunExit exit = guest.Run();
        switch (exit.Kind)
        {
            case RunExitKind.Dma:
                BinaryPrimitives.WriteUInt32LittleEndian(buffer.Span, exit.Address);
                BinaryPrimitives.WriteUInt32LittleEndian(buffer.Span[WordSize..], exit.Key);
                return 2 * WordSize;
            case RunExitKind.Break:
                return -Errno.EAGAIN;
            case RunExitKind.Restart:
                return -Errno.ERESTART;
            case RunExitKind.Died when wasDead:
                byte[] text = Encoding.Latin1.GetBytes(exit.Reason + '\0');
                int length = Math.Min(text.Length, buffer.Length);
                text.AsSpan(0, length).CopyTo(buffer.Span);
                return length;
            case RunExitKind.Died:
                return -Errno.ENOENT;
            default:
                throw new InvalidOperationException($"/dev/lguest has no answer for {exit}");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _closed = true;
        Guest? guest = _guest;
        _guest = null;
        guest?.Dispose();
    }

    private long Initialize(ReadOnlySpan<byte> arguments)
    {
        const int count = 4;
        if (arguments.Length < count * WordSize)
            return -Errno.EFAULT;
        GuestStart start = new(
            PfnLimit: BinaryPrimitives.ReadUInt32LittleEndian(arguments),
            PageDirectory: BinaryPrimitives.ReadUInt32LittleEndian(arguments[WordSize..]),
            Entry: BinaryPrimitives.ReadUInt32LittleEndian(arguments[(2 * WordSize)..]),
            PageOffset: BinaryPrimitives.ReadUInt32LittleEndian(arguments[(3 * WordSize)..]));
        if (!start.LeavesRoomForHost)
            return -Errno.EINVAL;
        _guest = make(start);
        _owner = Thread.CurrentThread;
        return count * WordSize;
    }

    private static long Break(Guest guest, bool on)
    {
        if (on)
            return guest.Break() ? 0 : -Errno.ENOENT;
        guest.ReleaseBreak();
        return 0;
    }
}
