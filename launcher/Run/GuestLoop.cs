// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus;
using Lguest.Devices.Bus.Dma;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using Lguest.Inspect.Common;
using Lguest.Launcher.Common;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Run;

/// <summary>
/// The heart of the launcher: read the channel, which runs the guest; look after what it wants; read again. Runs on the thread
/// that owns the channel.
/// </summary>
public sealed class GuestLoop
{
    /// <summary>Bytes of a DMA in the answer to a read: address and key.</summary>
    private const int DmaAnswer = 2 * sizeof(uint);

    /// <summary>Room for a reason, as in the first launcher.</summary>
    private const int ReasonRoom = 1024;

    private readonly IGuestChannel _channel;
    private readonly DmaBus _bus;
    private readonly ConsolePort _console;
    private readonly Waker _waker;
    private readonly Func<bool> _stopRequested;
    private readonly Func<int, WriteWait>? _waitToWrite;

    /// <summary>A loop around one guest.</summary>
    /// <param name="channel">Initialized.</param>
    /// <param name="bus">Its devices.</param>
    /// <param name="console">Asked, after each look at the devices, whether the user wants out.</param>
    /// <param name="waker">Watches the input.</param>
    /// <param name="stopRequested">Whether a signal wants the end.</param>
    /// <param name="waitToWrite">Waits for the console's reader, and for whoever wants something of the guest meanwhile; null: the write waits.</param>
    public GuestLoop(IGuestChannel channel, DmaBus bus, ConsolePort console, Waker waker, Func<bool> stopRequested, Func<int, WriteWait>? waitToWrite = null)
    {
        _channel = channel;
        _bus = bus;
        _console = console;
        _waker = waker;
        _stopRequested = stopRequested;
        _waitToWrite = waitToWrite;
        console.WaitToWrite = waitToWrite == null ? null : WaitForReader;
    }

    // [L:220+46] The loop
    // The heart of the launcher: read the channel, which runs the guest; look after what it wants; read again. There are four
    // answers: the guest has sent something to a device; somebody wants us (BREAK); it is dead; it wants to be restarted.
    /// <summary>Runs the guest to its end.</summary>
    /// <exception cref="LaunchException">The channel answers something that no channel may.</exception>
    public RunOutcome Run()
    {
        byte[] answer = new byte[ReasonRoom];
        while (true)
        {
            long result = _channel.Read(answer);
            switch (result)
            {
                case DmaAnswer when !IsEmptyCrash(answer):
                    uint address = BinaryPrimitives.ReadUInt32LittleEndian(answer);
                    uint key = BinaryPrimitives.ReadUInt32LittleEndian(answer.AsSpan(sizeof(uint)));
                    try
                    {
                        _bus.HandleOutput(_channel, address, key);
                    }
                    catch (GuestAddressException wrong)
                    {
                        // "Invalid address" is how the first launcher put it.
                        return new RunOutcome(RunEnd.Died, $"Invalid address 0x{wrong.Address:x8} in DMA 0x{address:x8} sent to key 0x{key:x8}: {wrong.Length} bytes there are not all the guest's memory");
                    }

                    OfferHeldInput();
                    break;

                case -GuestAbi.Errno.EAGAIN:
                    ServiceInput();
                    _ = _channel.ReleaseBreak();
                    break;

                case -GuestAbi.Errno.ENOENT:
                    long length = _channel.Read(answer);
                    return Dead(answer.AsSpan(0, (int)Math.Max(0, length)));

                case -GuestAbi.Errno.ERESTART:
                    return new RunOutcome(RunEnd.Restarted);

                // The guest was killed while we wrote (an irq, a GETDMA): then the first read gives the reason right away.
                case > 0:
                    return Dead(answer.AsSpan(0, (int)result));

                default:
                    throw new LaunchException($"running the guest failed: the engine answered {result}");
            }

            if (_waker.Failure is Exception failure)
                throw new LaunchException($"watching the input failed: {failure.Message}");
            if (_console.AbortRequested)
                return new RunOutcome(RunEnd.ConsoleAbort);
            if (_console.OutputError != 0)
                return new RunOutcome(RunEnd.OutputFailed);
            if (_stopRequested())
                return new RunOutcome(RunEnd.Stopped);
        }
    }

    /// <summary>
    /// A DMA's answer has 8 bytes, and so has the shortest reason there is: that of a guest which crashed without a word, right
    /// while we were writing. No DMA has such an address: it is not even aligned.
    /// </summary>
    private static bool IsEmptyCrash(byte[] answer) => answer.AsSpan(0, DmaAnswer).SequenceEqual("CRASH: \0"u8);

    private static RunOutcome Dead(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        string reason = Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
        return reason == GuestDeath.PowerDown
            ? new RunOutcome(RunEnd.PoweredOff, reason)
            : new RunOutcome(RunEnd.Died, reason.Length == 0 ? "the guest died without giving a reason" : VisibleText.Of(reason));
    }

    /// <summary>
    /// Nobody reads what the guest says. It has to wait, but we go on: input is looked at (it may be ^C), and signals.
    /// </summary>
    /// <returns>Whether there is a reader again; false: nobody waits for it any more.</returns>
    private bool WaitForReader(int fd)
    {
        while (true)
        {
            switch (_waitToWrite!(fd))
            {
                case WriteWait.Writable:
                    return true;
                case WriteWait.GuestOver:
                    return false;
            }

            ServiceInput();
            _ = _channel.ReleaseBreak();
            if (_console.AbortRequested || _stopRequested() || _waker.Failure != null)
                return false;
        }
    }

    private void ServiceInput()
    {
        foreach (IInputDevice input in _bus.Inputs)
        {
            if (input.WantsInput && IsReadable(input.InputDescriptor))
                input.ReadInput();
        }

        OfferHeldInput();
        _waker.Update();
    }

    /// <summary>Something may have changed on the guest's side: offers it what it had no room for.</summary>
    private void OfferHeldInput()
    {
        foreach (IInputDevice input in _bus.Inputs)
        {
            if (!input.HoldsInput)
                continue;
            bool wanted = input.WantsInput;
            bool given = input.Deliver(_channel);
            if (given || !input.HoldsInput || input.WantsInput != wanted)
                _waker.Update(delivered: true);
        }
    }

    private static unsafe bool IsReadable(int fd)
    {
        pollfd state = new() { fd = fd, events = POLLIN };
        return poll(&state, 1, 0) > 0;
    }
}
