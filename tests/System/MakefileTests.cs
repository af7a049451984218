// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary><c>make</c> on a machine that lacks something: one sentence that says what, and what to do, before anything is built.</summary>
public sealed class MakefileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    [FactNeeding(Need.Make)]
    public void WithoutTheSdk()
    {
        Program("dotnet", "exit 127");
        Says("there is no .NET SDK here", "https://dotnet.microsoft.com/download");
    }

    [FactNeeding(Need.Make)]
    public void WithAnOldSdk()
    {
        Program("dotnet", "echo 8.0.100");
        Says("is version 8.0.100: the .NET SDK 10 or newer is needed");
    }

    [FactNeeding(Need.Make)]
    public void WithoutACompiler()
    {
        Program("dotnet", "echo 10.0.100");
        Says("there is no 'gcc' here", "apt-get install gcc");
    }

    [FactNeeding(Need.Make)]
    public void WithACompilerThatCannotLink()
    {
        Program("dotnet", "echo 10.0.100");
        Program("gcc", "cat >/dev/null; exit 1");
        Says("'gcc' cannot link a C program", "apt-get install libc6-dev");
    }

    [FactNeeding(Need.Make)]
    public void WithACompilerFor64BitsAlone()
    {
        Program("dotnet", "echo 10.0.100");
        Program("gcc", """cat >/dev/null; case " $* " in *" -m32 "*) exit 1;; esac""");
        Says("'gcc' makes no 32-bit x86 code", "CC=");
    }

    /// <summary>The packages cannot be fetched, and none are there from an earlier build: no second attempt.</summary>
    [FactNeeding(Need.Make)]
    public void WithoutANetwork()
    {
        Program("gcc", "cat >/dev/null");
        Program("dotnet", """
            [ "$1" = publish ] || { echo 10.0.100; exit; }
            echo publish >>"${0%/*}/calls"
            echo "/x/launcher.csproj : error NU1301: Unable to load the service index for source https://example.test/index.json."
            echo "/x/launcher.csproj : error NU1301: Failed to retrieve information about 'Iced' from remote source 'https://example.test/'."
            echo "/x/launcher.csproj : error NU1301:   Name or service not known (example.test:443) [/x/launcher.csproj]"
            exit 1
            """);
        Says("the packages that lguest is built with cannot be fetched", "Name or service not known (example.test:443)", "is there a network");
        Assert.Single(File.ReadAllLines(Path.Combine(_directory.Path, "bin/calls")));
    }

    /// <summary>The NativeAOT compiler's package is nowhere, and the rest is: that is no failure, and said.</summary>
    [FactNeeding(Need.Make)]
    public void WithoutTheNativeCompiler()
    {
        Program("gcc", "cat >/dev/null");
        Program("dotnet", $$"""
            case "$*" in
            --version) echo 10.0.100;;
            *PublishAot=true*) echo "error NU1101: Unable to find package runtime.linux-x64.Microsoft.DotNet.ILCompiler"; exit 1;;
            *"--self-contained true"*) echo >'{{Out}}/lguest';;
            esac
            """);
        ProcessResult result = Make("launcher");
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
        Assert.Contains("note: the NativeAOT compiler is unavailable", result.Output, StringComparison.Ordinal);
    }

    private string Out => Path.Combine(_directory.Path, "out");

    /// <summary>Puts a program on the path of make.</summary>
    private void Program(string name, string script)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_directory.Path, "bin")).FullName;
        string file = Path.Combine(folder, name);
        File.WriteAllText(file, "#!/bin/sh\n" + script + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Runs make with these programs and the shell's own tools, and no compiler but those.</summary>
    private ProcessResult Make(string goal)
    {
        foreach (string tool in new[] { "make", "sh", "find", "mkdir", "rm", "grep", "sed", "cat", "echo", "touch", "tail" })
        {
            string folder = Environment.GetEnvironmentVariable("PATH")!.Split(':').First(f => File.Exists(Path.Combine(f, tool)));
            Directory.CreateDirectory(Path.Combine(_directory.Path, "bin"));
            File.CreateSymbolicLink(Path.Combine(_directory.Path, "bin", tool), Path.Combine(folder, tool));
        }

        return Command.Run("make", [goal, $"OUT={Out}"], Needs.Root, string.Empty,
            ("PATH", Path.Combine(_directory.Path, "bin")), ("NUGET_PACKAGES", Path.Combine(_directory.Path, "packages")), ("LC_ALL", "C"));
    }

    /// <summary>One line of make's own words, with all of these in it; the other is how make ends.</summary>
    private void Says(params string[] words)
    {
        ProcessResult result = Make("all");
        Assert.NotEqual(0, result.Status);
        string line = Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), l => !l.Contains("***", StringComparison.Ordinal));
        Assert.StartsWith("make: ", line, StringComparison.Ordinal);
        Assert.All(words, word => Assert.Contains(word, line, StringComparison.Ordinal));
    }
}
