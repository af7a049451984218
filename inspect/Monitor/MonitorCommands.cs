// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Monitor;

/// <summary>
/// What <c>monitor</c> does in gdb: questions that only the hypervisor can answer. Every command runs on the thread that owns
/// the guest, and only looks, but for <c>irq</c> and <c>trace</c>.
/// </summary>
public sealed class MonitorCommands
{
    private const int ShownHypercalls = 50;
    private readonly DebugTarget _target;
    private readonly Command[] _commands;

    /// <summary>The commands for a target.</summary>
    /// <param name="target">The guest.</param>
    /// <param name="trace">What <c>trace</c> does with its words.</param>
    /// <param name="statistics">What was counted; for the guest's owner to ask.</param>
    public MonitorCommands(DebugTarget target, Func<string[], string> trace, Func<RunStatistics> statistics)
    {
        _target = target;
        _commands =
        [
            new("help", "", "this list", (_, _) => Help()),
            new("hypercalls", "", $"counts by name, and the last {ShownHypercalls} with arguments", (r, _) => HypercallView.Show(r.Guest, _target.Symbols, ShownHypercalls)),
            new("translate", "ADDR", "both levels of the page table walk of a virtual address, with flags", Translate),
            new("pagetables", "", "all that is mapped now, in runs of like pages", (r, _) => PageTableText.ShowRuns(r.Guest)),
            new("gdt", "", "the guest's segment descriptors", (r, _) => DescriptorView.ShowGdt(r.Guest)),
            new("idt", "", "the guest's gates, with the names of their handlers", (r, _) => DescriptorView.ShowIdt(r.Guest, _target.Symbols)),
            new("lguest", "", "the fields of lguest_data, and the hypervisor's own state", (r, _) => LguestDataView.Show(r.Guest, _target.Symbols)),
            new("devices", "", "the device descriptors, and how far the guest's drivers got", (r, _) => DeviceView.Show(r)),
            new("dma", "", "what the guest has bound, buffer by buffer", (r, _) => DeviceView.ShowBindings(r.Guest)),
            new("physical", "ADDR LEN", "guest physical memory, in hexadecimal", Physical),
            new("irq", "N", "raises irq N", Irq),
            new("trace", "on|off [LIST]", "writes events to the trace from now on, or no more; LIST as in --trace", (_, words) => trace(words)),
            new("engine", "", "which engine runs the guest, and what it counts", (_, _) => StatisticsTable.Of(statistics())),
        ];
    }

    /// <summary>Carries out a command line.</summary>
    /// <returns>What to print: lines, each with its end.</returns>
    public string Run(string line) => Run(line, out _);

    /// <summary>Carries out a command line.</summary>
    /// <param name="line">Command and words.</param>
    /// <param name="done">Whether it was carried out.</param>
    /// <returns>What to print: lines, each with its end.</returns>
    public string Run(string line, out bool done)
    {
        done = true;
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
            return Help();
        foreach (Command command in _commands)
        {
            if (command.Name != words[0])
                continue;
            try
            {
                // Help needs no guest, and tracing brings its own way to it.
                if (command.Name is "help" or "trace")
                    return command.Do(null!, words[1..]);
                return _target.Ask(running => command.Do(running, words[1..]));
            }
            catch (MonitorException wrong)
            {
                done = false;
                return $"{command.Name}: {wrong.Message}\nusage: {command.Name} {command.Arguments}\n";
            }
            catch (GuestGoneException)
            {
                done = false;
                return "there is no guest just now\n";
            }
        }

        done = false;
        return $"there is no command '{words[0]}'; help lists them\n";
    }

    private static string Translate(DebugTarget.Running running, string[] words) =>
        words.Length == 1 ? PageTableText.ShowWalk(running.Guest, Numbers.Parse(words[0])) : throw new MonitorException("give one address");

    private static string Physical(DebugTarget.Running running, string[] words)
    {
        if (words.Length != 2)
            throw new MonitorException("give an address and a length");
        uint address = Numbers.Parse(words[0]);
        uint length = Numbers.Parse(words[1]);
        const uint most = 16 * Page.Size;
        if (length > most)
            throw new MonitorException($"{length} bytes at once are too many; {most} are the most");
        if (!running.Guest.Memory.Contains(address, length))
            throw new MonitorException($"0x{address:x8} + {length} bytes are not the guest's; it has {string.Join(", ", running.Guest.Memory.Ranges)}");
        return HexDump.Of(address, running.Guest.Memory.Read(address, length));
    }

    private static string Irq(DebugTarget.Running running, string[] words)
    {
        if (words.Length != 1 || Numbers.Parse(words[0]) is var irq && irq >= Vectors.IrqCount)
            throw new MonitorException($"give one irq, from 0 to {Vectors.IrqCount - 1}");
        irq = Numbers.Parse(words[0]);
        running.Guest.RaiseIrq(irq);
        return $"irq {irq} is raised; it is delivered when the guest runs and takes it\n";
    }

    private string Help()
    {
        StringBuilder text = new();
        foreach (Command command in _commands)
            text.Append($"{(command.Name + " " + command.Arguments).PadRight(22)} {command.Help}\n");
        return text.ToString();
    }

    private sealed record Command(string Name, string Arguments, string Help, Func<DebugTarget.Running, string[], string> Do);
}
