#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Publishes out/lguest as one native program, by NativeAOT. Its compiler is a package; where no registry has it, the launcher is
# published as it was before there was one: compiled ahead (ReadyToRun) with its own runtime beside it, or at least so that it runs.
# usage: packaging/publish.sh DOTNET OUT     run by `make`
set -u
dotnet=$1
out=$2
log=$out/publish.log
cache=${NUGET_PACKAGES:-${HOME-}/.nuget/packages}

publish() { "$dotnet" publish launcher -c Release -r linux-x64 -p:DebugType=none -v quiet -o "$out" "$@" >"$log" 2>&1; }

# NuGet's reasons come in several lines for each project, the innermost last.
unfetched() {
    reasons=$(sed -n 's/.*error NU1301: *//p' "$log" | sed -e 's/ *\[.*//' -e 's/\.*$//')
    outer='Unable to load the service\|Failed to retrieve information\|inner exception'
    reason=$(echo "$reasons" | grep -v -m 1 "$outer" || echo "$reasons" | head -n 1)
    echo "make: the packages that lguest is built with cannot be fetched ($reason): is there a network? (apt-get install ca-certificates; dotnet nuget list source)" >&2
    exit 1
}

# What an earlier publication of another kind has left.
mkdir -p "$out"
rm -f "$out"/*.so "$out"/*.dll "$out"/lguest*.json "$out"/lguest.dbg

echo "building the launcher (a minute or two, and longer the first time)"
if publish -p:PublishAot=true -p:NativeDebugSymbols=true; then
    echo "out/lguest is ready"
elif ! grep -q 'NU110[0-9]\|NU1301' "$log"; then
    cat "$log"
    exit 1
elif grep -q NU1301 "$log" && [ ! -d "$cache/iced" ]; then
    # No network, and no package from an earlier build: the other ways need these packages, too.
    unfetched
elif publish --self-contained true; then
    echo "note: the NativeAOT compiler is unavailable; out/lguest is ready, needs the files beside it, and starts slower"
elif publish --self-contained false; then
    echo "note: the packages to compile it ahead are unavailable; out/lguest is ready, needs .NET installed, and starts slower"
elif grep -q NU1301 "$log"; then
    unfetched
else
    cat "$log"
    exit 1
fi
