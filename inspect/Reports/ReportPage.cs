// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net;
using System.Text;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Common;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Reports;

/// <summary>
/// The report as one HTML page: styles and pictures are in it, nothing is fetched, no script runs. It reads on a phone, on a
/// dark screen and on paper.
/// </summary>
public static class ReportPage
{
    private const int PictureWidth = 1000;
    private const int LaneHeight = 70;
    private const int LabelWidth = 4;
    private const double SmallestFrame = 0.002;

    /// <summary>The page.</summary>
    public static string Of(RunRecord run)
    {
        StringBuilder page = new();
        page.Append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.Append($"<title>lguest report: {Text(run.Kernel)}</title>\n<style>{Style}</style>\n</head>\n<body>\n<main>\n");
        Summary(page, run);
        Timeline(page, run);
        Flames(page, run);
        page.Append("<div class=\"pair\">\n");
        Bars(page, "Hypercalls, direct", "int $0x1F", run.Statistics.Hypercalls);
        Bars(page, "Hypercalls, from the ring", "carried out in batches", run.Statistics.RingHypercalls);
        Bars(page, "Exits", "from the guest's code to the hypervisor", run.Statistics.Exits);
        Bars(page, "Deliveries", "interrupts, traps and system calls to the guest's handlers", [.. run.Statistics.Interrupts, .. run.Statistics.Traps]);
        page.Append("</div>\n");
        Memory(page, run);
        Devices(page, run);
        Lines(page, run);
        return page.Append("</main>\n</body>\n</html>\n").ToString();
    }

    private static void Summary(StringBuilder page, RunRecord run)
    {
        page.Append($"<header>\n<h1>{Text(Path.GetFileName(run.Kernel))}</h1>\n<p>An lguest run, {Text(run.Generation)} interface. It ended: <strong>{Text(run.End)}</strong></p>\n");
        string when = run.Started is { } started ? started.ToString("yyyy-MM-dd HH:mm:ss zzz", CultureInfo.InvariantCulture) + ", " : string.Empty;
        page.Append($"<p>{when}lguest {ProgramVersion.Whole}</p>\n<p class=\"line\"><code>lguest {Text(run.CommandLine)}</code></p>\n<dl>\n");
        Fact("time", $"{run.Seconds.ToString("f2", CultureInfo.InvariantCulture)} s");
        Fact("asleep", $"{run.Statistics.Slept.TotalSeconds.ToString("f2", CultureInfo.InvariantCulture)} s");

        // What an engine tells first is what it works by: instructions or blocks.
        foreach (EngineCounter counter in run.Statistics.Counters.Take(1))
            Fact(counter.Name, Short((ulong)counter.Value));
        Fact("hypercalls", Short((ulong)(run.Statistics.Hypercalls.Sum(c => c.Value) + run.Statistics.RingHypercalls.Sum(c => c.Value))));
        Fact("engine", Text(run.Statistics.Engine));
        page.Append("</dl>\n</header>\n");

        void Fact(string name, string value) => page.Append($"<div><dt>{name}</dt><dd>{value}</dd></div>\n");
    }

    private static void Timeline(StringBuilder page, RunRecord run)
    {
        double end = Math.Max(run.Seconds, 0.001);
        page.Append("<section id=\"timeline\">\n<h2>Timeline</h2>\n");
        (string Name, string Class, Func<RunInterval, double> Value, string Unit)[] lanes =
        [
            ("hypercalls", "a", i => i.Hypercalls / i.Length, "/s"),
            ("interrupts", "b", i => i.Interrupts / i.Length, "/s"),
            ("faults", "c", i => i.Faults / i.Length, "/s"),
            ("asleep", "d", i => Math.Min(100, i.Slept / 1e7 / i.Length), " %"),
            ("device bytes", "e", i => i.DeviceBytes.Sum() / i.Length, " B/s"),
        ];
        foreach ((string name, string style, Func<RunInterval, double> value, string unit) in lanes)
        {
            List<RunInterval> intervals = [.. run.Intervals.Where(i => i.Length > 0)];
            double most = intervals.Count == 0 ? 0 : intervals.Max(value);
            page.Append($"<figure><figcaption><b>{name}</b> <span>{(most == 0 ? "none" : "up to " + Short((ulong)most) + unit)}</span></figcaption>\n");
            page.Append($"<svg class=\"lane {style}\" viewBox=\"0 0 {PictureWidth} {LaneHeight}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{name} over time\"><path d=\"");

            // A bar for each interval: between two of them nothing is known, so no line is drawn from one to the next.
            foreach (RunInterval interval in intervals)
            {
                double height = most == 0 ? 0 : value(interval) / most * (LaneHeight - 4);
                page.Append($"M{Number((interval.End - interval.Length) / end * PictureWidth)} {LaneHeight}V{Number(LaneHeight - height)}H{Number(interval.End / end * PictureWidth)}V{LaneHeight}Z");
            }

            page.Append("\"/></svg></figure>\n");
        }

        page.Append($"<figure><figcaption><b>console</b> <span>{run.ConsoleLines.Count} lines; see below</span></figcaption>\n<svg class=\"ticks\" viewBox=\"0 0 {PictureWidth} 20\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"console lines over time\">");
        foreach ((double seconds, string text) in run.ConsoleLines)
            page.Append($"<rect x=\"{Number(seconds / end * PictureWidth)}\" width=\"1.5\" height=\"20\"><title>{Number(seconds)} s: {Text(text)}</title></rect>");
        page.Append("</svg></figure>\n<div class=\"scale\">");
        for (int i = 0; i <= LabelWidth; i++)
            page.Append($"<span>{(end * i / LabelWidth).ToString("f2", CultureInfo.InvariantCulture)} s</span>");
        page.Append("</div>\n</section>\n");
    }

    private static void Flames(StringBuilder page, RunRecord run)
    {
        Frame root = new("all");
        foreach ((string place, int count) in run.Samples)
            root.Add(place.Split(';'), 0, count);
        page.Append($"<section id=\"flames\">\n<h2>Where the time went</h2>\n<p>{SampleWords(run)}</p>\n<div class=\"flame\">");
        if (root.Count > 0)
            Draw(page, root, root.Count, 0);
        page.Append("</div>\n");
        List<NamedCount> hottest = [.. Leaves(run).OrderByDescending(c => c.Value).Take(15)];
        BarList(page, hottest);
        page.Append("</section>\n");
    }

    private static string SampleWords(RunRecord run)
    {
        int running = run.Samples.Values.Sum();
        string still = run.Still == 0 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $" {run.Still:n0} more found it asleep or paused.");
        return running == 0
            ? $"No sample found the guest running: its work was done in moments.{still}"
            : string.Create(CultureInfo.InvariantCulture, $"{running:n0} samples of the guest at work.{still} Callers stand above what they called, as wide as their time; a kernel without frame pointers shows the functions alone.");
    }

    private static IEnumerable<NamedCount> Leaves(RunRecord run) => run.Samples
        .GroupBy(s => s.Key[(s.Key.LastIndexOf(';') + 1)..])
        .Select(g => new NamedCount(g.Key, g.Sum(s => s.Value)));

    private static void Draw(StringBuilder page, Frame frame, int all, int depth)
    {
        string share = (100.0 * frame.Count / all).ToString("f1", CultureInfo.InvariantCulture);
        page.Append($"<div class=\"bar h{(frame.Name.Length * 7 + frame.Name[0]) % 6}\" title=\"{Text(frame.Name)}: {frame.Count} samples, {share} %\">{Text(frame.Name)}</div>");
        if (frame.Children.Count == 0 || depth == 40)
            return;
        page.Append("<div class=\"row\">");
        foreach (Frame child in frame.Children.Values.OrderByDescending(c => c.Count))
        {
            if (child.Count < all * SmallestFrame)
                continue;
            page.Append($"<div style=\"width:{(100.0 * child.Count / frame.Count).ToString("f3", CultureInfo.InvariantCulture)}%\">");
            Draw(page, child, all, depth + 1);
            page.Append("</div>");
        }

        page.Append("</div>");
    }

    private static void Bars(StringBuilder page, string title, string subtitle, List<NamedCount> counts)
    {
        page.Append($"<section>\n<h2>{title}</h2>\n<p>{Text(subtitle)}</p>\n");
        BarList(page, [.. counts.OrderByDescending(c => c.Value)]);
        page.Append("</section>\n");
    }

    private static void BarList(StringBuilder page, List<NamedCount> counts)
    {
        if (counts.Count == 0)
        {
            page.Append("<p class=\"none\">none</p>\n");
            return;
        }

        long most = counts.Max(c => c.Value);
        page.Append("<table class=\"bars\">\n");
        foreach (NamedCount count in counts)
            page.Append($"<tr><th>{Text(count.Name)}</th><td class=\"n\">{count.Value.ToString("n0", CultureInfo.InvariantCulture)}</td><td class=\"b\"><i style=\"width:{(100.0 * count.Value / most).ToString("f1", CultureInfo.InvariantCulture)}%\"></i></td></tr>\n");
        page.Append("</table>\n");
    }

    private static void Memory(StringBuilder page, RunRecord run)
    {
        page.Append("<section id=\"memory\">\n<h2>Memory</h2>\n<p>Above what was there at the start, below the pages that were written since.</p>\n<div class=\"map\">");
        double all = run.Memory.Sum(p => (double)(p.End - p.Start));
        foreach (MemoryPart part in run.Memory)
            page.Append($"<i class=\"m-{part.Kind}\" style=\"flex:{Number(Math.Max((part.End - part.Start) / all, 0.008) * 1000)}\" title=\"{Text(part.Name)}\"></i>");
        page.Append("</div>\n<div class=\"map written\">");
        foreach (MemoryPart part in run.Memory)
            page.Append($"<i style=\"flex:{Number(Math.Max((part.End - part.Start) / all, 0.008) * 1000)}{WrittenPages.Picture(run.Written, part)}\"></i>");
        page.Append("</div>\n<table>\n<tr><th>guest physical</th><th>what</th><th class=\"n\">KiB</th><th class=\"n\">written</th></tr>\n");
        foreach (MemoryPart part in run.Memory)
            page.Append($"<tr><td><code>{part.Start:x8}–{part.End - 1:x8}</code></td><td><i class=\"key m-{part.Kind}\"></i>{Text(part.Name)}</td><td class=\"n\">{(part.End - part.Start + 1023) / 1024:n0}</td><td class=\"n\">{WrittenPages.Bytes(run.Written, part) / 1024:n0}</td></tr>\n");
        page.Append("</table>\n</section>\n");
    }

    private static void Devices(StringBuilder page, RunRecord run)
    {
        // Only guests on PCI access their devices: for others there is no column, which a narrow screen has no room for.
        bool accessed = run.Statistics.Devices.Exists(static device => device.Accesses != 0);
        page.Append("<section id=\"devices\">\n<h2>Devices</h2>\n<table>\n<tr><th>device</th><th class=\"n\">requests</th><th class=\"n\">from the guest</th><th class=\"n\">inputs</th><th class=\"n\">to the guest</th><th class=\"n\">mean</th>").Append(accessed ? "<th class=\"n\">accesses</th></tr>\n" : "</tr>\n");
        foreach (DeviceTotal device in run.Statistics.Devices)
        {
            double rate = run.Seconds > 0 ? (device.BytesOut + device.BytesIn) / run.Seconds : 0;
            page.Append($"<tr><td>{Text(device.Name)}</td><td class=\"n\">{device.Requests:n0}</td><td class=\"n\">{Short((ulong)device.BytesOut)}B</td><td class=\"n\">{device.Deliveries:n0}</td><td class=\"n\">{Short((ulong)device.BytesIn)}B</td><td class=\"n\">{Short((ulong)rate)}B/s</td>{(accessed ? $"<td class=\"n\">{device.Accesses:n0}</td>" : string.Empty)}</tr>\n");
        }

        page.Append("</table>\n</section>\n");
    }

    private static void Lines(StringBuilder page, RunRecord run)
    {
        page.Append($"<section id=\"console\">\n<h2>Console</h2>\n<details{(run.ConsoleLines.Count <= 40 ? " open" : string.Empty)}><summary>{run.ConsoleLines.Count} lines, with the seconds since the launcher's start</summary>\n<pre>");
        foreach ((double seconds, string text) in run.ConsoleLines)
            page.Append($"<b>{seconds.ToString("f3", CultureInfo.InvariantCulture),9}</b>  {Text(text)}\n");
        page.Append("</pre></details>\n</section>\n");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private static string Short(ulong value) => value switch
    {
        < 10_000 => value.ToString(CultureInfo.InvariantCulture) + " ",
        < 10_000_000 => (value / 1e3).ToString("f0", CultureInfo.InvariantCulture) + " k",
        < 10_000_000_000 => (value / 1e6).ToString("f0", CultureInfo.InvariantCulture) + " M",
        _ => (value / 1e9).ToString("f1", CultureInfo.InvariantCulture) + " G",
    };

    private sealed class Frame(string name)
    {
        public string Name { get; } = name;

        public int Count { get; private set; }

        public Dictionary<string, Frame> Children { get; } = [];

        public void Add(string[] path, int depth, int count)
        {
            Count += count;
            if (depth == path.Length)
                return;
            if (!Children.TryGetValue(path[depth], out Frame? child))
                Children.Add(path[depth], child = new Frame(path[depth]));
            child.Add(path, depth + 1, count);
        }
    }

    private const string Style = """
        :root{color-scheme:light dark;--bg:#fbfaf7;--fg:#22252b;--dim:#666c76;--line:#dcd9d0;--card:#fff;--a:#2f6db3;--b:#b3682f;--c:#a83246;--d:#7c8594;--e:#3f8553}
        @media(prefers-color-scheme:dark){:root{--bg:#16181c;--fg:#e6e4df;--dim:#9aa0aa;--line:#33373e;--card:#1e2126;--a:#6ba6e8;--b:#e39a5f;--c:#ea7287;--d:#8f98a8;--e:#74c58a}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.45 system-ui,sans-serif}
        main{max-width:1080px;margin:0 auto;padding:1rem}
        h1{margin:.5rem 0 0;font-size:1.7rem;overflow-wrap:anywhere}
        h2{margin:0 0 .4rem;font-size:1.1rem}
        p{margin:.2rem 0 .6rem;color:var(--dim)}
        strong{color:var(--fg)}
        section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.9rem;margin:1rem 0;overflow-x:auto}
        dl{display:flex;flex-wrap:wrap;gap:.6rem 2rem;margin:.6rem 0}
        dt{color:var(--dim);font-size:.8rem}dd{margin:0;font-size:1.15rem;font-weight:600}
        figure{margin:0 0 .5rem}figcaption{font-size:.85rem}figcaption span{color:var(--dim)}
        svg{display:block;width:100%;border-bottom:1px solid var(--line)}
        .lane{height:56px}.ticks{height:16px;fill:var(--fg)}
        .a{fill:var(--a)}.b{fill:var(--b)}.c{fill:var(--c)}.d{fill:var(--d)}.e{fill:var(--e)}
        .scale{display:flex;justify-content:space-between;color:var(--dim);font-size:.75rem}
        .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:0 1rem}
        table{border-collapse:collapse;width:100%;font-size:.9rem}
        th{text-align:left;font-weight:500}td,th{padding:.15rem .4rem .15rem 0;vertical-align:middle}
        .n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        .bars .b{width:40%}.bars i{display:block;height:.7rem;background:var(--a);border-radius:2px;min-width:2px}
        .flame{font-size:.72rem;margin-bottom:.8rem;min-width:100%}
        .row{display:flex;width:100%}.row>div{min-width:0}
        .bar{overflow:hidden;white-space:nowrap;text-overflow:ellipsis;padding:1px 3px;margin:0 1px 1px 0;border-radius:2px;color:#1c1200}
        .h0{background:#f2b366}.h1{background:#f0c674}.h2{background:#ee9f6a}.h3{background:#e9b08a}.h4{background:#f5cf8e}.h5{background:#e8a24e}
        .map.written{height:1.1rem}
        .map{display:flex;height:2.2rem;border:1px solid var(--line);border-radius:4px;overflow:hidden;margin-bottom:.6rem}
        .key{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.4rem;vertical-align:-1px}
        .m-kernel{background:var(--a)}.m-tables{background:var(--c)}.m-initrd{background:var(--e)}.m-boot{background:var(--b)}.m-free{background:var(--line)}.m-device{background:var(--d)}
        pre{margin:.5rem 0 0;font-size:.8rem;overflow-x:auto}pre b{color:var(--dim);font-weight:400}
        .none{font-style:italic}.line{overflow-wrap:anywhere}
        th.n{white-space:normal}td:first-child{overflow-wrap:anywhere}
        @media(max-width:520px){main{padding:.5rem}section{padding:.6rem}table{font-size:.8rem}td,th{padding-right:.25rem}}
        @media print{body{background:#fff;color:#000;font-size:11px}section{break-inside:avoid;border-color:#bbb}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
        """;
}
