// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;
using static Iced.Intel.AssemblerRegisters;
using static Tmds.Linux.LibC;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// An instruction that the translator leaves to the interpreter without knowing it (it crosses a page, in the kernel's code
/// outside of its own part) goes on where the interpreter says, and in no host code that happens to come after. What lies there are
/// zeros: ADD [%rax], %al to the host, which a page at the guest's %eax tells.
/// </summary>
[Collection(LowMemory.Name)]
public sealed unsafe class InterpretedJumpTests
{
    private const uint JumpAt = (2 * Page.Size) - 2;
    private const uint Low = 0x1_0000;
    private const int FixedNoReplace = 0x10_0000;

    [Fact]
    public void AddressZeroIsNoSignForNotKnown()
    {
        byte* canary = MemoryMap.Map((void*)Low, Page.Size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | FixedNoReplace, -1, 0);
        try
        {
            using TinyGuest guest = new(
                EngineKind.Translator,
                g =>
                {
                    g.Boot();
                    for (int i = 0; i < 3; i++)
                    {
                        g.Asm.mov(ebp, g.Address($"back{i}"));
                        g.Asm.mov(esi, 0);
                        g.Asm.mov(edi, JumpAt);
                        g.Asm.mov(eax, Low + 1);
                        g.Asm.jmp(edi);
                        g.Mark($"back{i}");
                        g.Report(esi);
                    }
                },
                prepare: memory =>
                {
                    memory.WriteUInt32(GuestPlan.Directory, GuestPlan.SpareTable | (uint)PageFlags.Linear);
                    for (uint page = 0; page < 3; page++)
                        memory.WriteUInt32(GuestPlan.SpareTable + (page * sizeof(uint)), (GuestPlan.Scratch + (page * Page.Size)) | GuestPlan.Mapped);
                    byte[] zero = [0xBE, 0x34, 0x12, 0x00, 0x00, 0xFF, 0xE5]; // mov esi, 0x1234; jmp ebp
                    zero.CopyTo(memory.Write(GuestPlan.Scratch, (uint)zero.Length));
                    byte[] jump = [0xE9, .. BitConverter.GetBytes(-(int)(JumpAt + 5))]; // to 0
                    jump.CopyTo(memory.Write(GuestPlan.Scratch + JumpAt, (uint)jump.Length));
                });
            Assert.Equal([0x1234u, 0x1234u, 0x1234u], [guest.Next(), guest.Next(), guest.Next()]);
            Assert.True(new ReadOnlySpan<byte>(canary, (int)Page.Size).IndexOfAnyExcept((byte)0) < 0, "host memory at the guest's address was written");
        }
        finally
        {
            MemoryMap.Unmap(canary, Page.Size);
        }
    }
}
