// SPDX-License-Identifier: GPL-2.0-or-later
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends;

/// <summary>
/// The host's side of the console: where bytes come from and go to. It outlives the guest's device, so that what was typed
/// while a guest restarts is still there for the next kernel.
/// </summary>
/// <remarks>
/// Input is read ahead into a small buffer even when the guest has none for it: else nobody would see the three ^C of a user
/// whose guest has stopped listening. When the buffer is full we stop reading, and the terminal or the pipe holds the rest:
/// nothing is lost.
/// </remarks>
public sealed unsafe class ConsolePort : IDisposable
{
    /// <summary>Bytes read ahead at most.</summary>
    public const int Capacity = 4096;

    private readonly byte[] _held = new byte[Capacity];
    private readonly AbortKeys _abort;
    private readonly PatientOutput _output;
    private int _start;
    private int _end;
    private HostErrno _outputError;

    /// <summary>A console on two descriptors, which stay the caller's.</summary>
    /// <param name="inputDescriptor">Where the user types, or a pipe, or a file.</param>
    /// <param name="outputDescriptor">Where the guest's words go.</param>
    /// <param name="clock">For the ^C that must come quickly.</param>
    public ConsolePort(int inputDescriptor, int outputDescriptor, TimeProvider clock)
    {
        InputDescriptor = inputDescriptor;
        OutputDescriptor = outputDescriptor;
        _abort = new AbortKeys(clock);
        _output = new PatientOutput(outputDescriptor);
    }

    /// <summary>Where input comes from.</summary>
    public int InputDescriptor { get; }

    /// <summary>Where output goes.</summary>
    public int OutputDescriptor { get; }

    /// <summary>The input has ended. The guest goes on without.</summary>
    public bool InputEnded { get; private set; }

    /// <summary>The user wants out: three ^C.</summary>
    public bool AbortRequested { get; private set; }

    /// <summary>What went wrong with the output: EPIPE when nobody reads it any more; 0 when all is well.</summary>
    public HostErrno OutputError => _outputError;

    /// <summary>Bytes of output so far.</summary>
    public long BytesWritten { get; private set; }

    /// <summary>Whether what comes next on a terminal would not begin at the beginning of a line.</summary>
    public bool IsMidLine => _output.LastByte is not (0 or (byte)'\n');

    /// <summary>Whether the output can be written now without waiting.</summary>
    public bool CanWrite => _output.IsReady;

    /// <summary>Hears the guest's output as it is written; null: nobody listens.</summary>
    public ConsoleListener? Listener { get; set; }

    /// <summary>Whether the guest waits for somebody to read what it said.</summary>
    public bool IsStalled { get; private set; }

    /// <summary>
    /// How to wait until a descriptor can be written; false when the rest of the output is not wanted any more. Without it the
    /// thread that writes waits, and does nothing else meanwhile.
    /// </summary>
    public Func<int, bool>? WaitToWrite { get; set; }

    /// <summary>Whether there is input, and room for it.</summary>
    public bool WantsInput => !InputEnded && _end - _start < Capacity;

    /// <summary>What was read and not taken yet.</summary>
    public ReadOnlySpan<byte> Held => _held.AsSpan(_start, _end - _start);

    /// <summary>Reads once; does not wait if the descriptor is readable.</summary>
    public void ReadInput()
    {
        if (!WantsInput)
            return;
        if (_end == Capacity)
        {
            Held.CopyTo(_held);
            _end -= _start;
            _start = 0;
        }

        long count;
        do
        {
            fixed (byte* target = &_held[_end])
                count = read(InputDescriptor, target, Capacity - _end);
        }
        while (count < 0 && errno == EINTR);

        if (count < 0 && errno == EAGAIN)
            return;

        // 0 is the end. An error is one too: a terminal that hung up says EIO, and asking again will not help.
        if (count <= 0)
        {
            InputEnded = true;
            return;
        }

        AbortRequested |= _abort.Observe(_held.AsSpan(_end, (int)count));
        _end += (int)count;
    }

    /// <summary>Input that comes another way than from the descriptor: put behind what is held.</summary>
    /// <returns>Bytes taken: as many as there is room for.</returns>
    public int Inject(ReadOnlySpan<byte> input)
    {
        Held.CopyTo(_held);
        _end -= _start;
        _start = 0;
        int count = Math.Min(input.Length, Capacity - _end);
        input[..count].CopyTo(_held.AsSpan(_end));
        _end += count;
        return count;
    }

    /// <summary>The first <paramref name="count"/> bytes of <see cref="Held"/> have found their way.</summary>
    public void Take(int count)
    {
        _start += count;
        if (_start == _end)
            _start = _end = 0;
    }

    /// <summary>Writes guest memory to the output.</summary>
    /// <returns>Bytes written; fewer than asked for only with an error, or when <see cref="WaitToWrite"/> called it off.</returns>
    public int Write(GuestVector vector)
    {
        if (OutputError != 0)
            return 0;
        int written = Listener is { } listener ? WriteHeard(vector, listener) : _output.Write(vector, Stall, out _outputError);
        BytesWritten += written;
        return written;
    }

    /// <inheritdoc/>
    public void Dispose() => _output.Dispose();

    /// <summary>Read once: what is heard is what is written, whatever the guest does to its buffer meanwhile.</summary>
    private int WriteHeard(GuestVector vector, ConsoleListener listener)
    {
        byte[] text = GC.AllocateUninitializedArray<byte>(vector.Length, pinned: true);
        vector.CopyTo(text);
        GuestVector copy = new();
        copy.LoadHost(text, text.Length);
        int written = _output.Write(copy, Stall, out _outputError);
        listener(text.AsSpan(0, written));
        return written;
    }

    private bool Stall(int fd)
    {
        IsStalled = true;
        bool canWrite = (WaitToWrite ?? PatientOutput.Wait)(fd);
        IsStalled = false;
        return canWrite;
    }
}

/// <summary>Hears a piece of the guest's output.</summary>
/// <param name="output">The bytes; they are the listener's only until it returns.</param>
public delegate void ConsoleListener(ReadOnlySpan<byte> output);
