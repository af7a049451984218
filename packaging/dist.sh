#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make dist: a tarball that runs where it is unpacked, and is installed by copying two folders.
. "$(dirname "$0")/common.sh"

name=lguest-$version-linux-x86_64
DESTDIR=$stage/$name PREFIX='' packaging/install.sh install "$out"
ln -s share/doc/lguest/README.md share/doc/lguest/COPYING "$stage/$name"
cat >"$stage/$name/INSTALL" <<END
This is lguest $version for x86-64 Linux with the GNU C library. It runs from here:

    bin/lguest 64m share/lguest/demo

To install it, copy the folders to where programs are; manual pages and completion for bash, zsh and fish are found there:

    sudo cp -r bin share $([ -d "$stage/$name/lib" ] && echo "lib ")/usr/local/

share/doc/lguest has the documents; README.md is the first to read.
END
pack "$stage" "$name" | gzip "-${level}n" >"$target/$name.tar.gz"
echo "$target/$name.tar.gz is ready"
