// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>Which block is next: the ring, TS and the page tables decide which code runs, under which key, in which window.</summary>
public sealed unsafe partial class TranslatorCore : IForeignCode
{
    private TranslationMode _mode;

    /// <summary>Blocks translated so far.</summary>
    public long BlocksTranslated => _code.BlocksTranslated;

    /// <summary>How often all translated code was given up.</summary>
    internal uint Flushes => _code.Flushes;

    /// <inheritdoc/>
    bool IForeignCode.HasCode(uint physical) => _code.HasCode(physical);

    /// <inheritdoc/>
    void IForeignCode.WillChange(uint physical, int size) => _code.WillChange(physical, size);

    /// <inheritdoc/>
    void IForeignCode.EntryMarked(uint physical, uint before) => _code.EntryMarked(physical);

    /// <inheritdoc/>
    void IForeignCode.Decoded(uint frame) => _spaces.CodeIn(frame);

    /// <inheritdoc/>
    void IForeignCode.Touched(uint page) => _newPages.Touched(_spaces.Current, page);

    private void SelectContext()
    {
        _mode = CurrentMode();
        _spaces.Select(_mode);
        AddressSpace? space = _spaces.Current;
        _paths.Prepare(hasUserWindow: space is not null, userLeaves: space is { Slice: > 0 });
    }

    private TranslationMode CurrentMode()
    {
        TranslationMode mode = TranslationMode.None;
        if (Cpu->Arch.Cpl == Selectors.UserRing)
            mode |= TranslationMode.User;
        if (Cpu->Arch.TaskSwitched != 0)
            mode |= TranslationMode.TaskSwitched;
        return mode;
    }

    private bool ModeIsAsBefore() => CurrentMode() == _mode;

    /// <summary>What to enter for an EIP in the current context; null with a fault when it cannot be fetched.</summary>
    private Block? FindBlock(uint eip, out CpuExit fault)
    {
        ToLazyFlags();
        if (!_interpreter.TryFetch(eip, out uint physical, out fault))
            return null;
        BlockKey key = new(physical, eip, _mode);
        BlockReach reach = BlockReach.Any;
        bool user = (_mode & TranslationMode.User) != 0;
        if (user && _translator.Crosses(physical))
        {
            uint next = (eip & ~Page.OffsetMask) + Page.Size;
            bool isThere = _interpreter.TryFetch(next, out uint rest, out _) && rest != 0;
            reach = isThere ? BlockReach.Table : BlockReach.None;
            key = key with { Rest = isThere ? rest : 0 };
        }

        Block block = _code.Get(key, reach);
        _spaces.RememberCode(block, user);
        return block;
    }

    private byte* FindForTable(uint eip, out CpuExit fault)
    {
        Block? block = FindBlock(eip, out fault);
        if (block is null)
            return null;

        // Under the key of the context that was left, which is still the current one; the kernel's only where its part is.
        if (block.Reach != BlockReach.None && !Unchained && ((_mode & TranslationMode.User) != 0 || eip >= _spaces.KernelStart))
            _code.Branches.Add(eip, Cpu->Translator.BranchKey, block.Host);
        return block.Host;
    }

    private byte* FindForLink(uint eip, uint site)
    {
        uint flushes = _code.Flushes;
        Block? block = FindBlock(eip, out _);
        if (block is null)
            return null;
        if (block.Reach == BlockReach.Any && flushes == _code.Flushes)
            _code.Link(site, block);
        return block.Host;
    }
}
