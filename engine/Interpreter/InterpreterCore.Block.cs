// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Interpreter;

public sealed unsafe partial class InterpreterCore
{
    /// <summary>A run of instructions that is entered at its first and may be left anywhere.</summary>
    internal struct Block
    {
        public MicroOp* First;
        public int Ops;
        public uint Eip;
        public uint Physical;
        public int Bytes;

        /// <summary>For a block whose only instruction crosses into the next page: where its rest is.</summary>
        public uint Physical2;
        public int Bytes2;
        public CodeMode Mode;
        public int NextInHash;
        public int NextInFrame;
        public int NextInFrame2;
    }
}
