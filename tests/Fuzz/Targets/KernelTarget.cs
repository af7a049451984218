// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>Kernel images, from the file to the guest's memory. They are loaded, or refused with one sentence, at a bounded price.</summary>
internal sealed class KernelTarget : IFuzzTarget
{
    private const string Memory = "16m";

    /// <summary>What loading may allocate: the guest's memory, and 64 MiB.</summary>
    private const long MostBytes = (16 + 64) << 20;

    private readonly string _path = Path.Combine(new TemporaryDirectory().Path, "kernel");
    private readonly MemoryBanks _banks = MemoryBanks.Parse(Memory);

    public IEnumerable<byte[]> Seeds => KernelCase.Seeds;

    public IReadOnlyList<byte[]> Words => KernelCase.Words;

    public int LongestCase => KernelCase.Longest;

    public ulong Run(byte[] bytes)
    {
        File.WriteAllBytes(_path, KernelCase.Unwrap(bytes));
        Signature signature = new();
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            KernelImage kernel = KernelLoader.Load(_path, _banks.Lowest.Length);
            signature.AddSentence(kernel.Format);
            signature.AddCount(kernel.Segments.Count);
            signature.AddSentence(kernel.Series.Name);
            GuestLayout layout = GuestLayout.Plan(_banks, kernel, 0, 3);
            using MappedGuestMemory memory = MappedGuestMemory.Create(layout.Ranges);
            kernel.CopyTo(memory);
            if (layout.HasTables)
                LinearMap.Write(memory, layout);
            BootInformation.Write(memory, layout, BootInformation.EncodeCommandLine(string.Empty, kernel.CommandLineBytes));
            signature.AddSentence(MemoryMapDrawing.Draw(layout, []));
        }
        catch (LaunchException refusal)
        {
            if (refusal.Message.Contains('\n', StringComparison.Ordinal))
                throw new FuzzFindException($"a refusal is no sentence: {refusal.Message}");
            signature.AddSentence(refusal.Message);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > MostBytes)
            throw new FuzzFindException($"loading has allocated {allocated >> 20} MiB");
        return signature.Value;
    }
}
