// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

// [T:250] Pages that are new
/// <summary>
/// How programs come to pages that are new to them. Mapping a page into a window is expensive: a signal, a change of the host's page
/// tables, a fault of the host's own, later the way back: as much as a thousand interpreted instructions. A program that has
/// just missed one page will mostly miss others in a moment (it has been started, has forked, fills a buffer), and many of them
/// it will never touch again. So after a first miss the interpreter goes ahead with the program, to which a new page is
/// nothing but a walk of the guest's tables, until it meets no more new ones for a while. What is missed after that is mapped.
/// </summary>
internal sealed unsafe class NewPagePolicy(CpuState* cpu, InterpreterCore interpreter)
{
    /// <summary>Instructions without a new page, after which translated code is worth its mappings.</summary>
    private const int SliceLength = 256;

    private bool _metNewPage;

    /// <summary>Whether ring 3 may be interpreted over new pages; else each is mapped when it is missed.</summary>
    public bool IsOn { get; set; } = true;

    /// <summary>Whether the interpreter is ahead with ring 3 of an address space.</summary>
    public bool IsAhead(AddressSpace? space) => cpu->Arch.Cpl == Selectors.UserRing && space is { Slice: > 0 };

    /// <summary>Ring 3 has come to a page that the interpreter's table did not have.</summary>
    public void Touched(AddressSpace? current, uint page)
    {
        if (current is not { Slice: > 0 } space || space.Window[page] != 0)
            return;
        space.LastVisited = page;
        _metNewPage |= space.Visited.Add(page);
    }

    /// <summary>Translated code in ring 3 missed a page: whether the interpreter goes on from there.</summary>
    public bool GoesAhead(AddressSpace space, uint page, WalkResult result)
    {
        if (!IsOn || (result == WalkResult.Ok && !space.Visited.Add(page)))
            return false;
        space.Slice = SliceLength;
        space.LastVisited = page;
        return true;
    }

    /// <summary>A slice of the interpreter.</summary>
    /// <param name="space">The current one.</param>
    /// <param name="exit">What it stopped for.</param>
    /// <returns>Whether there is something for the hypervisor to do.</returns>
    public bool Run(AddressSpace space, out CpuExit exit)
    {
        _metNewPage = false;
        cpu->Budget = space.Slice;
        interpreter.Quietly = true;
        exit = interpreter.Run();
        interpreter.Quietly = false;
        if (exit.Kind == ExitKind.Exception && exit.Vector == ExceptionVector.PageFault)
        {
            space.Slice = SliceLength;
            return true;
        }

        space.Slice = _metNewPage ? SliceLength : Math.Max(cpu->Budget, 0);
        return exit.Kind != ExitKind.Attention;
    }

    /// <summary>The page that a program has come to rest at, where it will stay for a while, if that is not mapped yet.</summary>
    public bool HasComeToRest(AddressSpace space, out uint page)
    {
        page = space.LastVisited;
        return space.Slice == 0 && cpu->Arch.Cpl == Selectors.UserRing && space.Window[page] == 0;
    }
}
