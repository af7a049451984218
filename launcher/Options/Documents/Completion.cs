// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Inspect.Control;

namespace Lguest.Launcher.Options.Documents;

/// <summary>Completion for the three common shells.</summary>
public static class Completion
{
    private static readonly string[] s_sizes = ["64m", "128m", "256m", "512m"];

    /// <summary>For bash: /usr/share/bash-completion/completions/lguest.</summary>
    public static string Bash(IReadOnlyList<LaunchOption> options, IReadOnlyList<ControlCommand> commands)
    {
        StringBuilder cases = new();
        foreach (LaunchOption option in options)
        {
            if (option.Choices is { } choices)
                cases.Append($"        --{option.Name}) COMPREPLY=($(compgen -W '{string.Join(' ', choices)}' -- \"$cur\")); return;;\n");
        }

        return $$"""
            # SPDX-License-Identifier: GPL-2.0-or-later
            # bash completion for lguest; written by 'lguest document lguest.bash'
            _lguest() {
                local cur prev words cword split
                _init_completion -s || return
                if [[ ${words[1]} == ctl ]]; then
                    case $cword in
                        2) _filedir;;
                        3) COMPREPLY=($(compgen -W '{{string.Join(' ', commands.Select(c => c.Name))}}' -- "$cur"));;
                    esac
                    return
                fi
                case $prev in
            {{cases}}    esac
                if [[ $split == true ]]; then
                    cur=${cur#unix:}
                    _filedir
                elif [[ $cur == -* ]]; then
                    COMPREPLY=($(compgen -W '{{string.Join(' ', options.Select(Word))}}' -- "$cur"))
                    [[ ${COMPREPLY-} == *= ]] && compopt -o nospace
                elif [[ $cword -eq 1 ]]; then
                    COMPREPLY=($(compgen -W 'ctl net {{string.Join(' ', s_sizes)}}' -- "$cur"))
                else
                    _filedir
                fi
            }
            complete -F _lguest lguest

            """;
    }

    /// <summary>For zsh: a function _lguest in its fpath.</summary>
    public static string Zsh(IReadOnlyList<LaunchOption> options, IReadOnlyList<ControlCommand> commands)
    {
        StringBuilder specs = new();
        foreach (LaunchOption option in options)
        {
            string help = Quoted(FirstWords(option)).Replace("[", "(", StringComparison.Ordinal).Replace("]", ")", StringComparison.Ordinal);
            string action = option.Choices is { } choices ? $"({string.Join(' ', choices)})" : TakesFile(option) ? "_files" : string.Empty;
            string value = option.ValueName == null ? string.Empty : $"{(option.ValueOptional ? "::" : ":")}value:{action}";
            specs.Append($"        '*--{option.Name}{(option.ValueName == null ? string.Empty : option.ValueOptional ? "=-" : "=")}[{help}]{value}' \\\n");
            if (option.Letter != '\0')
                specs.Append($"        '-{option.Letter}[{help}]' \\\n");
        }

        StringBuilder actions = new();
        foreach (ControlCommand command in commands)
            actions.Append($"            '{command.Name}:{Quoted(command.Help.Split(';')[0])}'\n");
        return $$"""
            #compdef lguest
            # SPDX-License-Identifier: GPL-2.0-or-later
            # zsh completion for lguest; written by 'lguest document _lguest'
            _lguest() {
                if [[ $words[2] == ctl ]]; then
                    local -a commands=(
            {{actions}}        )
                    case $CURRENT in
                        3) _files;;
                        4) _describe command commands;;
                    esac
                    return
                fi
                if [[ $words[2] == net ]]; then
                    _files
                    return
                fi
                _arguments \
            {{specs}}        '1:memory:(ctl net {{string.Join(' ', s_sizes)}})' '2:kernel:_files' '*:words for the guest:'
            }
            _lguest "$@"

            """;
    }

    /// <summary>For fish: lguest.fish among its vendor completions.</summary>
    public static string Fish(IReadOnlyList<LaunchOption> options, IReadOnlyList<ControlCommand> commands)
    {
        StringBuilder text = new("# SPDX-License-Identifier: GPL-2.0-or-later\n# fish completion for lguest; written by 'lguest document lguest.fish'\n");
        text.Append("complete -c lguest -n __fish_use_subcommand -a ctl -d 'look into a running guest'\n");
        text.Append("complete -c lguest -n __fish_use_subcommand -a net -d 'show a network of guests'\n");
        foreach (ControlCommand command in commands)
            text.Append($"complete -c lguest -n '__fish_seen_subcommand_from ctl' -a {command.Name} -d '{FishQuoted(command.Help)}'\n");
        foreach (LaunchOption option in options)
        {
            string letter = option.Letter == '\0' ? string.Empty : $" -s {option.Letter}";
            string value = option.ValueName == null || option.ValueOptional ? string.Empty : " -r";
            string choices = option.Choices is { } list ? $" -f -a '{string.Join(' ', list)}'" : string.Empty;
            text.Append($"complete -c lguest -n 'not __fish_seen_subcommand_from ctl net'{letter} -l {option.Name}{value}{choices} -d '{FishQuoted(FirstWords(option))}'\n");
        }

        return text.ToString();
    }

    private static string Word(LaunchOption option) => $"--{option.Name}{(option.ValueName == null || option.ValueOptional ? string.Empty : "=")}";

    private static bool TakesFile(LaunchOption option) =>
        option.ValueName is { } value && (value.StartsWith("FILE", StringComparison.Ordinal) || value.Contains('.', StringComparison.Ordinal) || value.Contains("PATH", StringComparison.Ordinal));

    private static string FirstWords(LaunchOption option) => option.Help.Replace('\n', ' ').Split([';', ':'])[0];

    private static string Quoted(string words) => words.Replace("'", "'\\''", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal).Replace('\n', ' ');

    private static string FishQuoted(string words) => words.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal).Replace('\n', ' ');
}
