// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lguest.GuestAbi;
using Lguest.Inspect.Reports;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Target;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>The report: complete, self-contained, and a browser shows it.</summary>
public sealed class ReportTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Report => Path.Combine(_directory.Path, "report.html");

    public void Dispose() => _directory.Dispose();

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("interpreter")]
    [InlineData("translator")]
    public void ARunIsReported(string engine)
    {
        ProcessResult result = LauncherProcess.Run("--engine=" + engine, "--report=" + Report, "16m", Needs.Guest("conformance/interrupts"));
        Assert.Equal(0, result.Status);
        Assert.Contains($"the report is in {Report}", result.Error, StringComparison.Ordinal);
        string page = File.ReadAllText(Report);
        foreach (string text in (ReadOnlySpan<string>)["It ended: <strong>powered off</strong>", "id=\"timeline\"", "id=\"flames\"", "LGUEST_INIT", "irq 0", "id=\"memory\"", "kernel", "passed, 0 failed"])
            Assert.Contains(text, page, StringComparison.Ordinal);
        Assert.DoesNotMatch(new Regex("https?:|<script|<link|src=|@import|url\\("), page);
    }

    /// <summary>The devices' rows are what <c>--stats</c> counted in the same run.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("interpreter")]
    [InlineData("translator")]
    public void TheDevicesAreThoseOfTheStatistics(string engine)
    {
        string disk = _directory.File("disk", new byte[1 << 20]);
        string stats = Path.Combine(_directory.Path, "stats");
        ProcessResult result = LauncherProcess.Run("--engine=" + engine, "--report=" + Report, $"--stats={stats},format=json", "--block=" + disk, "16m", Needs.Guest("conformance/block"));
        Assert.True(result.Status == 0, result.Error);
        string page = File.ReadAllText(Report);
        JsonElement devices = JsonDocument.Parse(File.ReadAllText(stats)).RootElement.GetProperty("devices");
        Assert.Equal(2, devices.GetArrayLength());
        foreach (JsonElement device in devices.EnumerateArray())
        {
            string row = string.Create(CultureInfo.InvariantCulture, $"<tr><td>{device.GetProperty("device")}</td><td class=\"n\">{device.GetProperty("requests")}</td><td class=\"n\">{Short(device, "bytes_out")}B</td><td class=\"n\">{device.GetProperty("inputs")}</td><td class=\"n\">{Short(device, "bytes_in")}B</td><td class=\"n\">");
            Assert.Contains(row, page, StringComparison.Ordinal);
        }

        static string Short(JsonElement device, string name) =>
            device.GetProperty(name).GetInt64() is var bytes && bytes < 10_000 ? $"{bytes} " : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:f0} k");
    }

    /// <summary>Throughput is bytes both ways by the time the run took.</summary>
    [Fact]
    public void ADevicesThroughputIsBytesBySeconds()
    {
        RunRecord run = new() { Seconds = 2.5 };
        run.Statistics.Devices.Add(new DeviceTotal("disk", Requests: 40, BytesOut: 3_000_000, Deliveries: 7, BytesIn: 2_000_000, Errors: 0, Accesses: 1234));
        Assert.Contains(
            "<tr><td>disk</td><td class=\"n\">40</td><td class=\"n\">3000 kB</td><td class=\"n\">7</td><td class=\"n\">2000 kB</td><td class=\"n\">2000 kB/s</td><td class=\"n\">1,234</td></tr>",
            ReportPage.Of(run),
            StringComparison.Ordinal);
    }

    /// <summary>A short run: a bar for each interval, and nothing between them.</summary>
    [Fact]
    public void AnIntervalIsABar()
    {
        RunRecord run = new() { Seconds = 1 };
        run.Intervals.Add(new RunInterval { End = 0.5, Length = 0.25, Hypercalls = 10 });
        run.Intervals.Add(new RunInterval { End = 1, Length = 0.25, Hypercalls = 5 });
        Assert.Contains("<path d=\"M250 70V4H500V70ZM750 70V37H1000V70Z\"/>", ReportPage.Of(run), StringComparison.Ordinal);
    }

    /// <summary>The memory map says what was written of each part, and where.</summary>
    [Fact]
    public void TheMapShowsWhichPagesWereWritten()
    {
        RunRecord run = new() { Written = [new MemoryRange(0x1000, 0x1000), new MemoryRange(0x5000, 0x4000)] };
        run.Memory.Add(new MemoryPart("kernel", 0, 0x4000, "kernel"));
        run.Memory.Add(new MemoryPart("initrd", 0x4000, 0x5000, "initrd"));
        run.Memory.Add(new MemoryPart("free", 0x5000, 0x9000, "free"));
        string page = ReportPage.Of(run);
        Assert.Contains("kernel</td><td class=\"n\">16</td><td class=\"n\">4</td>", page, StringComparison.Ordinal);
        Assert.Contains("initrd</td><td class=\"n\">4</td><td class=\"n\">0</td>", page, StringComparison.Ordinal);
        Assert.Contains("free</td><td class=\"n\">16</td><td class=\"n\">16</td>", page, StringComparison.Ordinal);
        Assert.Contains("linear-gradient(90deg,rgba(200,60,30,0) 0% 25%,rgba(200,60,30,1) 25% 50%,rgba(200,60,30,0) 50% 75%,rgba(200,60,30,0) 75% 100%)", page, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(page, "linear-gradient"));
    }

    /// <summary>A guest in 16 MiB writes some of its kernel and some of what is free, and by no means all.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("interpreter")]
    [InlineData("translator")]
    public void ARunHasItsWrittenPages(string engine)
    {
        Assert.Equal(0, LauncherProcess.Run("--engine=" + engine, "--report=" + Report, "16m", Needs.Guest("conformance/hello")).Status);
        MatchCollection rows = Regex.Matches(File.ReadAllText(Report), "</i>(kernel|free for the guest)</td><td class=\"n\">([0-9,]+)</td><td class=\"n\">([0-9,]+)</td>");
        Assert.NotEmpty(rows);
        long written = rows.Sum(row => Number(row.Groups[3]));
        Assert.InRange(written, 4, rows.Sum(row => Number(row.Groups[2])) / 4);

        static long Number(Group digits) => long.Parse(digits.Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
    }

    /// <summary>Sleep is counted beside the flame graph, not in it.</summary>
    [Fact]
    public void SleepIsNoFlame()
    {
        RunRecord run = new() { Seconds = 400, Still = 127_634 };
        Assert.Contains("No sample found the guest running: its work was done in moments. 127,634 more found it asleep or paused.", ReportPage.Of(run), StringComparison.Ordinal);
        run.Samples.Add("kernel (ring 1);guest_main", 5);
        string page = ReportPage.Of(run);
        Assert.Contains("5 samples of the guest at work. 127,634 more found it asleep or paused.", page, StringComparison.Ordinal);
        Assert.Contains("guest_main: 5 samples, 100.0 %", page, StringComparison.Ordinal);
    }

    /// <summary>A page that is found years later says when it was made, by what, and by which command.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void TheHeadSaysWhenAndHow()
    {
        Assert.Equal(0, LauncherProcess.Run("--report=" + Report, "16m", Needs.Guest("conformance/hello"), "<b>", "two words").Status);
        string page = File.ReadAllText(Report);
        Assert.Matches(new Regex("<p>20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d [+-]\\d\\d:\\d\\d, lguest \\d+\\.\\d+\\.\\d+"), page);
        Assert.Contains($"<code>lguest --report={Report} 16m {Needs.Guest("conformance/hello")} &lt;b&gt; &#39;two words&#39;</code>", page, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AReportThatCannotBeWrittenIsRefusedAtTheStart()
    {
        ProcessResult result = LauncherProcess.Run("--report=/nonexistent/report.html", "16m", Needs.Guest("conformance/hello"));
        Assert.Equal(1, result.Status);
        Assert.Equal("", result.Output);
        Assert.StartsWith("lguest: cannot write the report to '/nonexistent/report.html'", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatTheGuestSaysCannotBreakThePage()
    {
        RunRecord run = new() { Kernel = "<script>alert(1)</script>", End = "a \"quoted\" & <b>bold</b> end" };
        run.ConsoleLines.Add((0.5, "</pre><img src=x onerror=alert(1)>"));
        run.Samples.Add("kernel;<i>name</i>", 3);
        string page = ReportPage.Of(run);
        Assert.DoesNotMatch(new Regex("<script|<img|<b>bold|<i>name"), page);
        Assert.Contains("&lt;img src=x", page, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEmptyRunMakesAPageToo()
    {
        string page = ReportPage.Of(new RunRecord());
        Assert.Contains("id=\"timeline\"", page, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", page, StringComparison.Ordinal);
    }

    /// <summary>Wide, as on a desk, and narrow, as on a phone: it is laid out, and is not wider than the screen.</summary>
    [TheoryNeeding(Need.Chromium, Need.Launcher, Need.Guests)]
    [InlineData(1280, 1600)]
    [InlineData(390, 2400)]
    public void ABrowserShowsIt(int width, int height)
    {
        Assert.Equal(0, LauncherProcess.Run("--report=" + Report, "16m", Needs.Guest("conformance/interrupts")).Status);

        // The page has no script; this frame around it measures it, and says so in its own document.
        string probe = _directory.File("probe.html", System.Text.Encoding.UTF8.GetBytes($$"""
            <!DOCTYPE html><body style="margin:0"><iframe id="page" style="width:{{width}}px;height:{{height}}px;border:0" srcdoc="{{System.Net.WebUtility.HtmlEncode(File.ReadAllText(Report))}}"></iframe>
            <script>document.getElementById('page').onload=function(){var d=this.contentDocument,e=d.documentElement;
            document.title='probe wide='+(e.scrollWidth>e.clientWidth)+' sections='+d.querySelectorAll('section').length+' bars='+[...d.querySelectorAll('.bars i')].filter(b=>b.getBoundingClientRect().width>0).length+' flames='+[...d.querySelectorAll('.flame .bar')].filter(b=>b.getBoundingClientRect().width>0).length+' tall='+(e.scrollHeight>500)+' cut='+[...d.querySelectorAll('section')].filter(s=>s.scrollWidth>s.clientWidth).length+' end'}</script>
            """));
        string document = Chromium("--virtual-time-budget=5000", "--dump-dom", "file://" + probe);
        Match found = Regex.Match(document, "<title>probe wide=(\\w+) sections=(\\d+) bars=(\\d+) flames=(\\d+) tall=(\\w+) cut=(\\d+) end</title>");
        Assert.True(found.Success, document[..Math.Min(document.Length, 500)]);
        Assert.Equal("false", found.Groups[1].Value);
        Assert.Equal(9, int.Parse(found.Groups[2].Value));
        Assert.True(int.Parse(found.Groups[3].Value) > 10);
        Assert.True(int.Parse(found.Groups[4].Value) > 0);
        Assert.Equal("true", found.Groups[5].Value);
        Assert.Equal("0", found.Groups[6].Value);

        string picture = Path.Combine(_directory.Path, "picture.png");
        Chromium($"--window-size={width},{height}", "--screenshot=" + picture, "file://" + Report);
        Assert.True(new FileInfo(picture).Length > 20_000, "the screenshot is as good as empty");
    }

    [FactNeeding(Need.Chromium, Need.Launcher, Need.Guests)]
    public void ABrowserPrintsIt()
    {
        Assert.Equal(0, LauncherProcess.Run("--report=" + Report, "16m", Needs.Guest("conformance/interrupts")).Status);
        string pdf = Path.Combine(_directory.Path, "report.pdf");
        Chromium("--print-to-pdf=" + pdf, "file://" + Report);
        Assert.StartsWith("%PDF-", File.ReadAllText(pdf), StringComparison.Ordinal);
    }

    private string Chromium(params string[] arguments)
    {
        using Process browser = Process.Start(new ProcessStartInfo("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + Path.Combine(_directory.Path, "profile"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> output = browser.StandardOutput.ReadToEndAsync();
        Task<string> error = browser.StandardError.ReadToEndAsync();
        if (!browser.WaitForExit(LauncherProcess.Patience))
        {
            browser.Kill(entireProcessTree: true);
            throw new TimeoutException("the browser hangs: " + error.Result);
        }

        return output.Result;
    }
}
