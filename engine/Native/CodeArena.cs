// SPDX-License-Identifier: GPL-2.0-or-later
using static Tmds.Linux.LibC;
namespace Lguest.Engine.Native;

/// <summary>
/// Room for emitted machine code. The same pages of one memory file are mapped twice, once writable and once executable, so
/// that no page is ever both (hardened systems refuse such pages) and nothing has to be remapped to add code.
/// </summary>
internal sealed unsafe class CodeArena : IDisposable
{
    private byte* _writable;
    private byte* _executable;
    private readonly byte* _slot;
    private nuint _used;
    private nuint _ready;

    /// <summary>What is made ready at a time: as much as the kernel maps around a page that is missed in the executable mapping.</summary>
    private const nuint ReadyBytes = 64 << 10;

    /// <summary>Less than this is ready: time for more. What a block needs, mostly.</summary>
    private const nuint NearlyUsed = 2 << 10;

    /// <summary>Maps an empty arena.</summary>
    /// <param name="size">Bytes, a multiple of the page size.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The system has no memory, or forbids executable mappings.</exception>
    public CodeArena(nuint size)
        : this(size, null)
    {
    }

    /// <summary>An arena in one of the <see cref="CodeSlots"/>, which it gives back in the end.</summary>
    /// <param name="size">Bytes, a multiple of the page size, at most the slot's.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The system has no memory, or forbids executable mappings.</exception>
    /// <exception cref="InvalidOperationException">Too many engines in one process.</exception>
    public static CodeArena InSlot(nuint size = CodeSlots.SlotSize)
    {
        byte* slot = CodeSlots.Take();
        try
        {
            return new CodeArena(size, slot);
        }
        catch
        {
            CodeSlots.Give(slot);
            throw;
        }
    }

    private CodeArena(nuint size, byte* slot)
    {
        Size = size;
        _slot = slot;
        int fd = MemoryMap.CreateMemoryFile("lguest-code"u8, size);
        try
        {
            _writable = MemoryMap.Map(null, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            try
            {
                _executable = MemoryMap.Map(
                    slot, size, PROT_READ | PROT_EXEC, MAP_SHARED | (slot == null ? 0 : MAP_FIXED), fd, 0);
            }
            catch
            {
                MemoryMap.Unmap(_writable, size);
                throw;
            }
        }
        finally
        {
            // The mappings keep the file.
            close(fd);
        }
    }

    /// <summary>Bytes of the arena.</summary>
    public nuint Size { get; }

    /// <summary>Where the arena's first byte is executed.</summary>
    public byte* Executable => _executable;

    /// <summary>Where the arena's first byte is written.</summary>
    public byte* Writable => _writable;

    /// <summary>The place to write what is executed at an address of this arena.</summary>
    public byte* ToWritable(byte* executable) => _writable + (executable - _executable);

    /// <summary>Takes room for code to be written through <see cref="ToWritable"/>.</summary>
    /// <param name="length">Bytes.</param>
    /// <param name="alignment">A power of two.</param>
    /// <returns>Where the code will be executed, or null when the arena is full.</returns>
    public byte* Allocate(nuint length, nuint alignment = 16)
    {
        nuint start = (_used + alignment - 1) & ~(alignment - 1);
        if (start > Size || length > Size - start)
            return null;
        _used = start + length;
        return _executable + start;
    }

    /// <summary>
    /// Code is about to be written from an executable address on. The next pages are made in one system call, instead of one by one when
    /// they are missed, first where they are written and then where they are executed. It is only faster: what is not ready is missed.
    /// </summary>
    public void MakeReady(byte* next)
    {
        nuint offset = (nuint)(next - _executable);
        if (offset + NearlyUsed <= _ready || _ready >= Size)
            return;
        nuint start = Math.Max(_ready, offset & ~(ReadyBytes - 1));
        nuint end = Math.Min(Size, (start + ReadyBytes) & ~(ReadyBytes - 1));
        MemoryMap.Populate(_writable + start, end - start);
        _ready = end;
    }

    /// <summary>Adds finished, position-independent code.</summary>
    /// <returns>Where to call it, or null when the arena is full.</returns>
    public byte* Append(ReadOnlySpan<byte> code, nuint alignment = 16)
    {
        byte* target = Allocate((nuint)code.Length, alignment);
        if (target != null)
            code.CopyTo(new Span<byte>(ToWritable(target), code.Length));
        return target;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_writable == null)
            return;
        MemoryMap.Unmap(_writable, Size);
        if (_slot != null)
            CodeSlots.Give(_slot);
        else
            MemoryMap.Unmap(_executable, Size);
        _writable = null;
        _executable = null;
    }
}
