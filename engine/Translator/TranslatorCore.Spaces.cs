// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;

namespace Lguest.Engine.Translator;

/// <summary>What the guest says of its page tables: the interpreter hears it first, then the windows.</summary>
public sealed unsafe partial class TranslatorCore
{
    /// <summary>Windows that are in use.</summary>
    public int Windows => _spaces.Windows;

    /// <inheritdoc/>
    public override void SetPaging(PagingFormat format)
    {
        Walker.Format = format;
        _interpreter.FlushTlb();
        _spaces.BeginAnew();
    }

    /// <inheritdoc/>
    public override void LoadPageDirectory(uint physical)
    {
        _interpreter.LoadPageDirectory(physical);
        _spaces.LoadPageDirectory(physical);
    }

    /// <inheritdoc/>
    public override void FlushTlb()
    {
        _interpreter.FlushTlb();
        _spaces.Flush();
    }

    /// <inheritdoc/>
    public override void FlushUserTlb()
    {
        _interpreter.FlushTlb();
        _spaces.FlushUser();
    }

    /// <inheritdoc/>
    public override void InvalidatePage(uint linear)
    {
        _interpreter.InvalidatePage(linear);
        _spaces.InvalidatePage(pageDirectory: null, linear);
    }

    /// <inheritdoc/>
    public override void InvalidatePage(uint pageDirectory, uint linear)
    {
        _interpreter.InvalidatePage(linear);
        _spaces.InvalidatePage(pageDirectory, linear);
    }

    /// <inheritdoc/>
    public override void InvalidateDirectoryEntry(uint pageDirectory, uint index)
    {
        _interpreter.FlushTlb();
        _spaces.InvalidateTable(pageDirectory, index);
    }

    /// <inheritdoc/>
    public override void InvalidateMiddleEntry(uint directory, uint index)
    {
        _interpreter.FlushTlb();
        if (Walker.HasMiddleEntry(index))
            _spaces.InvalidateMiddle(directory, index);
        else
            _spaces.Flush();
    }

    /// <inheritdoc/>
    public override void PagesAreClean()
    {
        _interpreter.PagesAreClean();
        if (Memory.Dirty is { } log)
            _spaces.Protect(log);
    }
}
