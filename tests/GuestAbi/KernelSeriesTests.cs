// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.GuestAbi;

/// <summary>Which release speaks which interface.</summary>
public sealed class KernelSeriesTests
{
    /// <summary>The series of the document, in its order, with its devices: abi.md §0.1.</summary>
    [Fact]
    public void TheSeriesAreTheDocuments()
    {
        string[][] rows = AbiDocument.Rows("0.1");
        int devices = Array.IndexOf(rows[0], "devices");
        IEnumerable<(string, string)> expected = rows.Where(static row => row[0].StartsWith("**", StringComparison.Ordinal))
            .Select(row => (row[0].Trim('*'), row[devices]));
        IEnumerable<KernelSeries> series = [KernelSeries.Seed200702, .. KernelSeries.Released];
        Assert.Equal(expected, series.Select(static one => (one.Name, Words(one.Devices))));

        static string Words(DeviceBusKind kind) => kind switch
        {
            DeviceBusKind.Dma => "DMA",
            DeviceBusKind.TypedLguestBus => "lguest bus, typed",
            DeviceBusKind.LguestBus => "lguest bus",
            _ => "PCI",
        };
    }

    /// <summary>The first and the last release of each, as the document has them.</summary>
    [Theory]
    [InlineData("2.6.22", null)]
    [InlineData("2.6.23", "2.6.23")]
    [InlineData("2.6.24", "2.6.24")]
    [InlineData("2.6.25", "2.6.25")]
    [InlineData("2.6.29", "2.6.25")]
    [InlineData("2.6.30", "2.6.30")]
    [InlineData("2.6.31", "2.6.31")]
    [InlineData("2.6.33", "2.6.31")]
    [InlineData("2.6.34", "2.6.34")]
    [InlineData("2.6.39", "2.6.34")]
    [InlineData("3.0.101", "2.6.34")]
    [InlineData("3.1.0", "3.1")]
    [InlineData("3.19.8", "3.1")]
    [InlineData("4.0.9", "4.0")]
    [InlineData("4.1.0", "4.1")]
    [InlineData("4.9.154", "4.1")]
    [InlineData("4.10.0", "4.10")]
    [InlineData("4.13.16", "4.10")]
    [InlineData("4.14.0", null)]
    [InlineData("6.1.0", null)]
    public void AReleaseHasItsSeries(string release, string? series) => Assert.Equal(series, KernelSeries.Of(Version.Parse(release))?.Name);

    /// <summary>Only those from 2.6.24 on start without page tables.</summary>
    [Fact]
    public void VirtioGenerationsStartInLinearMode()
    {
        foreach (KernelSeries series in KernelSeries.Released)
            Assert.Equal(series.Devices != DeviceBusKind.Dma, series.Boot.StartsLinear);
    }

    /// <summary>Who makes the first page tables, in the words of abi.md §0.1; what the launcher or the host made at INITIALIZE, it makes at LGUEST_INIT now.</summary>
    [Fact]
    public void FirstTablesAreMadeByWhomTheDocumentSays()
    {
        string[][] rows = AbiDocument.Rows("0.1");
        int makers = Array.IndexOf(rows[0], "first page tables by");
        foreach (KernelSeries series in KernelSeries.Released.Where(static series => series.Boot.StartsLinear))
        {
            string maker = rows.Single(row => row[0].Trim('*') == series.Name)[makers];
            Assert.Equal(maker != "the guest itself", series.Boot.HasTablesAtInit);
        }
    }

    /// <summary>A series says of its start what its generation says.</summary>
    [Fact]
    public void ASeriesAndItsGenerationAgree()
    {
        KernelSeries[] all = [KernelSeries.Seed200702, .. KernelSeries.Released];
        Assert.Equal(Generation.All.Reverse(), all.Select(static series => series.Generation));
        foreach (KernelSeries series in all)
            Assert.Equal((series.Name, series.Boot), (series.Generation.Name, series.Generation.Boot));
    }
}
