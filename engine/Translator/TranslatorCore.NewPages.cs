// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
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
public sealed unsafe partial class TranslatorCore
{
    /// <summary>Instructions without a new page, after which translated code is worth its mappings.</summary>
    private const int SliceLength = 256;

    private bool _metNewPage;

    /// <summary>Whether ring 3 may be interpreted over new pages; else each is mapped when it is missed.</summary>
    internal bool InterpretsNewPages { get; set; } = true;

    private bool IsOnNewPages => Cpu->Cpl == Selectors.UserRing && _space is { Slice: > 0 };

    /// <inheritdoc/>
    void Interpreter.IForeignCode.Touched(uint page)
    {
        if (_space is not { Slice: > 0 } space || space.Window[page] != 0)
            return;
        space.LastVisited = page;
        _metNewPage |= space.Visited.Add(page);
    }

    /// <summary>Translated code in ring 3 missed a page: whether the interpreter goes on from there.</summary>
    private bool GoesToNewPage(uint page, WalkResult result)
    {
        AddressSpace space = CurrentSpace();
        if (!InterpretsNewPages || (result == WalkResult.Ok && !space.Visited.Add(page)))
            return false;
        space.Slice = SliceLength;
        space.LastVisited = page;
        return true;
    }

    /// <summary>A slice of the interpreter.</summary>
    /// <returns>Whether there is something for the hypervisor to do.</returns>
    private bool RunOverNewPages(out CpuExit exit)
    {
        AddressSpace space = _space!;
        ToLazyFlags();
        _metNewPage = false;
        Cpu->Budget = space.Slice;
        _interpreter.Quietly = true;
        exit = _interpreter.Run();
        _interpreter.Quietly = false;
        if (exit.Kind == ExitKind.Exception && exit.Vector == ExceptionVector.PageFault)
        {
            space.Slice = SliceLength;
            return true;
        }

        space.Slice = _metNewPage ? SliceLength : Math.Max(Cpu->Budget, 0);
        if (exit.Kind != ExitKind.Attention)
            return true;

        // Where the program has come to rest it will stay for a while.
        uint linear = space.LastVisited << GuestAbi.Page.Shift;
        if (space.Slice == 0 && Cpu->Cpl == Selectors.UserRing && space.Window[space.LastVisited] == 0
            && Walker.Walk(_pageDirectory, linear, write: false, user: true, out Translation found) == WalkResult.Ok)
        {
            _interpreter.Marked(in found);
            Map(linear, user: true, in found);
        }

        return false;
    }
}
