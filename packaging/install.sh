#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what `make` built under $DESTDIR$PREFIX, or removes it again; docs/install.md lists the files.
# usage: packaging/install.sh install|uninstall [OUT]     run by `make install`, `make uninstall`, and the other scripts here
set -eu
umask 022
action=$1
out=${2:-out}
cd "$(dirname "$0")/.."
prefix=${PREFIX-/usr/local}
zsh=${ZSHDIR:-$prefix/share/zsh/site-functions}
root=${DESTDIR-}

# file MODE SOURCE TARGET
file() {
    if [ "$action" = install ]; then install -D -m "$1" "$2" "$root$3"; else rm -f "$root$3"; fi
}

# document NAME TARGET: a page that the program writes about itself.
document() {
    if [ "$action" = uninstall ]; then rm -f "$root$2"; return; fi
    mkdir -p "$root${2%/*}"
    "$out/lguest" document "$1" >"$root$2"
    chmod 644 "$root$2"
}

case $action in
install)
    [ -x "$out/lguest" ] || { echo "install: there is no $out/lguest yet: run make first" >&2; exit 1; } ;;
uninstall) ;;
*)
    echo "usage: packaging/install.sh install|uninstall [OUT]" >&2; exit 2 ;;
esac

# What the publication put beside the program.
beside=$(find "$out" -maxdepth 1 -type f \( -name '*.so' -o -name '*.dll' -o -name 'lguest*.json' \) -printf '%f\n')

# Published as one native program, it is a file in bin. Where there was no NativeAOT compiler, it is a folder with its runtime.
if [ "$action" = uninstall ]; then
    folder=$root$prefix/lib/lguest
    rm -f "$root$prefix/bin/lguest" "$folder/lguest" "$folder"/*.so "$folder"/*.dll "$folder"/lguest*.json
elif [ -n "$beside" ]; then
    for part in lguest $beside; do
        case $part in lguest) mode=755 ;; *) mode=644 ;; esac
        file $mode "$out/$part" "$prefix/lib/lguest/$part"
    done
    mkdir -p "$root$prefix/bin"
    ln -sfr "$root$prefix/lib/lguest/lguest" "$root$prefix/bin/lguest"
else
    file 755 "$out/lguest" "$prefix/bin/lguest"
fi

for page in lguest lguest-ctl lguest-net; do
    document $page.1 "$prefix/share/man/man1/$page.1"
done
document lguest.bash "$prefix/share/bash-completion/completions/lguest"
document lguest.fish "$prefix/share/fish/vendor_completions.d/lguest.fish"
document _lguest "$zsh/_lguest"

file 644 "$out/guest/demo" "$prefix/share/lguest/demo"
for text in README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md COPYING docs/*.md; do
    file 644 "$text" "$prefix/share/doc/lguest/$text"
done
file 644 packaging/copyright "$prefix/share/doc/lguest/copyright"

# Folders that are ours alone go when they are empty; the others were there, or are everybody's.
if [ "$action" = uninstall ]; then
    for folder in lib/lguest share/lguest share/doc/lguest/docs share/doc/lguest; do
        [ ! -d "$root$prefix/$folder" ] || rmdir --ignore-fail-on-non-empty "$root$prefix/$folder"
    done
fi
