// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Engine.Native;

namespace Lguest.Tests.Differential;

/// <summary>
/// The machine code around a native snippet. All of it, and the context it keeps its values in, is below 2 GiB, so that code of
/// either width reaches it by absolute address. Entering: block signals (the snippet's %esp is no place for a signal frame),
/// load everything, far jump to the 32-bit code segment that Linux gives every process. Leaving: a far jump back, or a link
/// of the signal chain that notes what happened and returns into the same code.
/// </summary>
internal sealed class NativeStubs
{
    public const ushort Code32 = 0x23;
    public const ushort Code64 = Layout.ExitSelector;
    public const ushort Data = 0x2B;

    // The context's fields.
    public const int In = 0x00, InFlags = 0x20, Target = 0x28, HostRsp = 0x30, GsSelector = 0x38, Out = 0x40, OutEip = 0x60,
        OutFlags = 0x68, Error = 0x70, Trap = 0x78, Address = 0x80, Faulted = 0x88, BlockedSignals = 0x90, OldSignals = 0x98,
        HostMxcsr = 0xA0, HostControl = 0xA4, WaitStatus = 0xA8, FxIn = 0x200, FxOut = 0x400;

    // Offsets in ucontext_t (x86-64) beside those of SignalFrame.
    private const int ContextRsp = 160, ContextFlags = 176, ContextCs = 184, ContextSs = 190;

    // Where rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi are there.
    private static readonly int[] s_contextRegisters = [144, 152, 136, 128, 160, 120, 112, 104];

    private readonly byte[] _code = new byte[1024];
    private readonly uint _context;
    private readonly uint _base;
    private int _length;

    /// <summary>Writes the code.</summary>
    /// <param name="codeAddress">Where it will be executed.</param>
    /// <param name="contextAddress">Where the context is.</param>
    public NativeStubs(uint codeAddress, uint contextAddress)
    {
        _base = codeAddress;
        _context = contextAddress;
        int common = Leave(); // first: Layout.Exit is where the code begins
        Enter = _base + (uint)WriteEnter();
        Link = _base + (uint)WriteLink(_base + (uint)common);
        Probe = _base + (uint)WriteProbe();
    }

    /// <summary>The code, to be copied to its address.</summary>
    public ReadOnlySpan<byte> Bytes => _code.AsSpan(0, _length);

    /// <summary>void(): runs the snippet that the context describes.</summary>
    public uint Enter { get; }

    /// <summary>A link of the signal chain: what faults below 4 GiB is a snippet.</summary>
    public uint Link { get; }

    /// <summary>void(): tries 32-bit code in a child process; leaves its wait status in the context.</summary>
    public uint Probe { get; }

    /// <returns>Where the handler continues.</returns>
    private int Leave()
    {
        for (int i = 0; i < 8; i++)
            Absolute([0x89], i, Out + (4 * i));      // mov [out], r32
        Absolute([0x48, 0x8B], 4, HostRsp);          // mov rsp, [host]
        Emit(0x9C);                                  // pushfq
        Absolute([0x8F], 0, OutFlags);               // pop [flags]
        int common = _length;
        Emit(0x6A, 0x02, 0x9D);                      // push 2; popfq
        Absolute([0x0F, 0xAE], 0, FxOut);            // fxsave
        Emit(0xDB, 0xE3);                            // fninit
        Absolute([0xD9], 5, HostControl);            // fldcw
        Absolute([0x0F, 0xAE], 2, HostMxcsr);        // ldmxcsr
        Emit(0x31, 0xC0, 0x8E, 0xE8);                // xor eax, eax; mov gs, eax
        SetSignals(OldSignals, 0);
        Emit(0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3); // pop r15 r14 r13 r12 rbp rbx; ret
        return common;
    }

    private int WriteEnter()
    {
        int start = _length;
        Emit(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57); // push rbx rbp r12 r13 r14 r15
        SetSignals(BlockedSignals, OldSignals);
        Absolute([0x48, 0x89], 4, HostRsp);          // mov [host], rsp
        Absolute([0x0F, 0xAE], 3, HostMxcsr);        // stmxcsr
        Absolute([0xD9], 7, HostControl);            // fnstcw
        Absolute([0x0F, 0xAE], 1, FxIn);             // fxrstor
        Emit(0xB8);                                  // mov eax, data
        Emit32(Data);
        Emit(0x8E, 0xD8, 0x8E, 0xC0);                // mov ds, eax; mov es, eax
        Absolute([0x8B], 0, GsSelector);             // mov eax, [gs]
        Emit(0x8E, 0xE8);                            // mov gs, eax
        Absolute([0xFF], 6, InFlags);                // push [flags]
        Emit(0x9D);                                  // popfq
        for (int i = 0; i < 8; i++)
            Absolute([0x8B], i, In + (4 * i));       // mov r32, [in]
        Absolute([0xFF], 5, Target);                 // jmp far [target]
        return start;
    }

    private int WriteLink(uint common)
    {
        int start = _length;
        Emit(0x83, 0x7E, SignalFrame.Code, 0);       // cmp dword [rsi + code], 0
        Emit(0x7E, 10);                              // jle foreign: somebody sent it
        Emit(0x8B, 0x82);                            // mov eax, [rdx + rip + 4]
        Emit32(SignalFrame.Rip + 4);
        Emit(0x85, 0xC0, 0x74, 3);                   // test eax, eax; jz ours (nothing else runs below 4 GiB)
        Emit(0x31, 0xC0, 0xC3);                      // foreign: xor eax, eax; ret
        for (int i = 0; i < 8; i++)
            Copy(s_contextRegisters[i], Out + (4 * i));
        Copy(SignalFrame.Rip, OutEip);
        Copy(ContextFlags, OutFlags);
        Copy(SignalFrame.ErrorCode, Error);
        Copy(SignalFrame.Vector, Trap);
        Copy(SignalFrame.Cr2, Address);
        Emit(0xB8);                                  // mov eax, 1
        Emit32(1);
        Absolute([0x89], 0, Faulted);
        SetContext(SignalFrame.Rip, common);
        SetContext(ContextFlags, 0x202);
        Emit(0x66, 0xC7, 0x82);                      // mov word [rdx + cs], ...
        Emit32(ContextCs);
        Emit((byte)Code64, 0);
        Emit(0x66, 0xC7, 0x82);
        Emit32(ContextSs);
        Emit((byte)Data, 0);
        Absolute([0x48, 0x8B], 0, HostRsp);          // mov rax, [host]
        Emit(0x48, 0x89, 0x82);                      // mov [rdx + rsp], rax
        Emit32(ContextRsp);
        Emit(0xB8);                                  // mov eax, 1; ret
        Emit32(1);
        Emit(0xC3);
        return start;
    }

    // fork; the child makes the trip with all signals blocked, so that any fault kills it, and says 42.
    private int WriteProbe()
    {
        int start = _length;
        Emit(0x53);                                  // push rbx: kept, and the stack aligned
        Emit(0xB8);
        Emit32(57);                                  // fork
        Emit(0x0F, 0x05, 0x85, 0xC0, 0x0F, 0x85);    // syscall; test eax, eax; jnz parent
        int jump = _length;
        Emit32(0);
        SetSignals(BlockedSignals, 0);
        uint code32 = _base + (uint)_length + 7 + 8;
        uint back = code32 + Layout.TerminatorBytes;
        Emit(0xFF, 0x2C, 0x25);                      // jmp far [pointer]
        Emit32(code32 - 8);
        Emit32(code32);
        Emit((byte)Code32, 0, 0, 0);
        Layout.WriteFarJump(_code.AsSpan(_length), back, Code64);
        _length += Layout.TerminatorBytes;
        Emit(0xB8);                                  // exit_group(42)
        Emit32(231);
        Emit(0xBF);
        Emit32(42);
        Emit(0x0F, 0x05);
        BinaryPrimitives.WriteInt32LittleEndian(_code.AsSpan(jump), _length - jump - 4);
        Emit(0x89, 0xC7);                            // mov edi, eax: wait4(child, &status, 0, 0)
        Emit(0xBE);
        Emit32(_context + WaitStatus);
        Emit(0x31, 0xD2, 0x45, 0x31, 0xD2);          // xor edx, edx; xor r10d, r10d
        Emit(0xB8);
        Emit32(61);
        Emit(0x0F, 0x05, 0x5B, 0xC3);                // syscall; pop rbx; ret
        return start;
    }

    private void SetSignals(int set, int old)
    {
        const uint rtSigprocmask = 14, setMask = 2;
        Emit(0xB8);
        Emit32(rtSigprocmask);
        Emit(0xBF);
        Emit32(setMask);
        Emit(0xBE);
        Emit32(_context + (uint)set);
        Emit(0xBA);
        Emit32(old == 0 ? 0 : _context + (uint)old);
        Emit(0x41, 0xBA);
        Emit32(8);
        Emit(0x0F, 0x05);                            // syscall
    }

    private void Copy(int from, int to)
    {
        Emit(0x8B, 0x82);                            // mov eax, [rdx + from]
        Emit32((uint)from);
        Absolute([0x89], 0, to);
    }

    private void SetContext(int field, uint value)
    {
        Emit(0x48, 0xC7, 0x82);                      // mov qword [rdx + field], value
        Emit32((uint)field);
        Emit32(value);
    }

    private void Absolute(ReadOnlySpan<byte> opcode, int register, int field)
    {
        Emit(opcode);
        Emit((byte)(0x04 | (register << 3)), 0x25);
        Emit32(_context + (uint)field);
    }

    private void Emit(params ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_code.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Emit32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_code.AsSpan(_length), value);
        _length += 4;
    }
}
