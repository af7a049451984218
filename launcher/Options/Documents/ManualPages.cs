// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Control;

namespace Lguest.Launcher.Options.Documents;

/// <summary>The manual pages.</summary>
public static class ManualPages
{
    private static readonly string[] s_pages = ["lguest", "lguest-ctl", "lguest-net"];

    /// <summary>lguest(1).</summary>
    public static string Launcher()
    {
        Roff page = new("lguest", "run a paravirtual i386 Linux guest without KVM, root or kernel modules");
        page.Section("SYNOPSIS")
            .Synopsis("lguest", HelpText.Usage["lguest ".Length..])
            .Synopsis("lguest ctl", "PATH COMMAND")
            .Synopsis("lguest net", "FILE")
            .Section("DESCRIPTION");
        foreach (string paragraph in HelpText.Introduction)
            page.Paragraph(paragraph);
        page.Section("OPTIONS").Paragraph(HelpText.WhereOptionsStand);
        foreach (LaunchOption option in OptionTable.All)
            page.Term(HelpText.Written(option), option.Help);
        page.Section("EXIT STATUS");
        foreach ((string status, string meaning) in HelpText.Statuses)
            page.Term(status, meaning);
        page.Section("EXAMPLES").Lines(HelpText.Examples);
        return SeeAlso(page, s_pages[0]);
    }

    /// <summary>lguest-ctl(1).</summary>
    public static string Control()
    {
        Roff page = new("lguest-ctl", "look into and steer a running lguest guest");
        page.Section("SYNOPSIS")
            .Synopsis("lguest ctl", "PATH COMMAND")
            .Section("DESCRIPTION")
            .Paragraph("PATH is the socket that the guest's launcher was given with --control=unix:PATH. One command is carried out, and its answer printed.")
            .Section("COMMANDS");
        foreach (ControlCommand command in ControlCommand.All)
            page.Term(command.Written, command.Help);
        page.Section("EXIT STATUS")
            .Term("0", "the command was carried out")
            .Term("1", "it was not: the answer or standard error says why");
        return SeeAlso(page, s_pages[1]);
    }

    /// <summary>lguest-net(1).</summary>
    public static string Network()
    {
        Roff page = new("lguest-net", "show who is on a network of lguest guests");
        page.Section("SYNOPSIS")
            .Synopsis("lguest net", "FILE")
            .Section("DESCRIPTION")
            .Paragraph("FILE is the file that the guests' launchers were given with --sharenet=FILE. A table shows each guest's slot, Ethernet address, process, packets and bytes received, sent and lost, and its state.")
            .Section("EXIT STATUS")
            .Term("0", "the table was printed")
            .Term("1", "the file is missing or is not a network's");
        return SeeAlso(page, s_pages[2]);
    }

    private static string SeeAlso(Roff page, string self) => page
        .Section("SEE ALSO")
        .Paragraph(string.Join(", ", s_pages.Where(p => p != self).Select(p => p + "(1)").Append("gdb(1)").Append("passt(1)")))
        .ToString();
}
