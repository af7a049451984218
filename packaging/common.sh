# SPDX-License-Identifier: GPL-2.0-or-later
# What the scripts beside this one share; they run in the repository's folder.
set -eu
umask 022
export LC_ALL=C
cd "$(dirname "$0")/.."
out=${OUT:-out}
target=${DIST:-$out/dist}

fail() { echo "make: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "there is no '$1' here, which $2 needs (apt-get install $3)"; }

[ -x "$out/lguest" ] || fail "there is no $out/lguest yet: run make first"

# The one place for the version is Directory.Build.props; the program knows it.
version=$("$out/lguest" --version | cut -d ' ' -f 2)

# The date of every file that is packed, so that the same commit makes the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH

# How hard to compress, from 1 to 9.
level=${PACK_LEVEL:-9}

# An empty folder for a package's files; it goes when the script ends.
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$target"

# pack FOLDER NAME...: a tar on standard output that depends on the files' contents, names and modes alone.
pack() {
    folder=$1; shift
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -C "$folder" -cf - "$@"
}
