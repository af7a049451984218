// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Inspect.Common;
using Lguest.Launcher.Commands;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;
using Lguest.Launcher.Options.Documents;
using Lguest.Launcher.Run;

namespace Lguest.Launcher;

/// <summary>
/// The launcher: sets up what a 2007 guest expects to find, runs it, and looks after its console and disks. Everything of
/// interest is elsewhere; here the command line comes in and the exit status goes out, whatever happens between.
/// </summary>
public static class Program
{
    // [L:100] argv
    // Here the command line comes in, and here the exit status goes out, whatever happens in between. Little is done in this
    // class. Its catch clauses are what it is for: whatever goes wrong ends in one sentence, on a terminal that is the user's own
    // again.
    /// <summary>Starts here.</summary>
    public static int Main(string[] arguments)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            StandardDescriptors.Fill();
            HostRequirements.Check();
            if (arguments is ["help"])
                arguments = ["--help"];

            // The one word, alone: no table of options is needed to understand it.
            if (arguments is ["version"] or ["--version"])
                return PrintVersion();
            if (arguments is ["ctl", ..])
                return ControlClient.Run(arguments[1..]);
            if (arguments is ["net", ..])
                return NetCommand.Run(arguments.AsSpan(1));
            if (arguments is ["document", ..])
                return Document.Run(arguments.AsSpan(1));
            LaunchOptions options = CommandLineParser.Parse(arguments);
            switch (options.Action)
            {
                case LaunchAction.Help:
                    return HostOutput.Print(HelpText.Whole());
                case LaunchAction.Version:
                    return PrintVersion();
                default:
                    return Launch(options, start);
            }
        }
        catch (Exception failure) when (failure is LaunchException or InspectException)
        {
            HostOutput.Say(failure.Message);
            return ExitStatus.Failure;
        }
        catch (EngineDisagreementException disagreement)
        {
            HostOutput.Say($"{disagreement.Message}\n{disagreement.Report}this is a bug in one of them, please report it");
            return ExitStatus.Failure;
        }
        catch (Exception failure) when (HostRequirements.SentenceFor(failure) is { } sentence)
        {
            HostOutput.Say(sentence);
            return ExitStatus.Failure;
        }
        catch (Exception bug)
        {
            // By now the terminal is the user's again. With LGUEST_TRACE set, whoever hunts the bug gets the whole story.
            HostOutput.Say($"internal error, please report it: {bug.GetType().Name}: {bug.Message}");
            if (Environment.GetEnvironmentVariable("LGUEST_TRACE") != null)
                HostOutput.Say(bug.ToString());
            return ExitStatus.Failure;
        }
    }

    private static int PrintVersion() => HostOutput.Print($"lguest {ProgramVersion.Whole}\n");

    private static int Launch(LaunchOptions options, long start)
    {
        HostRequirements.Check(options);
        GuestEngine.Prepare(options.Engine);
        using GuestSession session = new(options, HostOutput.Say, start);

        // An exception on any other thread ends the process without asking our callers: the terminal first.
        AppDomain.CurrentDomain.UnhandledException += (_, _) => session.Dispose();
        return session.Run();
    }
}
