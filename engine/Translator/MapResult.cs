// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Translator;

/// <summary>What became of a page that translated code missed.</summary>
internal enum MapResult
{
    /// <summary>It is mapped now.</summary>
    Mapped,

    /// <summary>It is new to the program: the interpreter goes ahead.</summary>
    Unknown,

    /// <summary>The guest gets a page fault.</summary>
    Fault,

    /// <summary>The guest dies of it.</summary>
    Killed,

    /// <summary>Code was made of it: the interpreter writes there.</summary>
    Code,

    /// <summary>It is user memory, into which the kernel reaches by the interpreter.</summary>
    Interpret,
}
