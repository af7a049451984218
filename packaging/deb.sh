#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make deb: a Debian package, by dpkg-deb alone.
. "$(dirname "$0")/common.sh"
need dpkg-deb "a Debian package" dpkg
need objdump "the list of the program's libraries" binutils

if [ -n "$(find "$out" -maxdepth 1 -name '*.dll')" ]; then
    fail "a package needs lguest as one native program; here it was published without the NativeAOT compiler (docs/install.md)"
fi

# What the program needs: the C library, in the version of the newest symbol that it asks for.
libc=$(objdump -T "$out/lguest" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
depends="libc6 (>= ${libc#GLIBC_})"
for library in $(objdump -p "$out/lguest" | sed -n 's/^ *NEEDED *//p' | sort -u); do
    case $library in
    libc.so.* | libm.so.* | librt.so.* | libdl.so.* | libpthread.so.* | ld-linux*) ;;
    *) fail "the program needs $library, and packaging/deb.sh does not know which package has that" ;;
    esac
done

# 0.2.0-dev comes before 0.2.0, and Debian writes that with a tilde.
package=$(echo "$version" | tr - '~')-1
root=$stage/lguest
mkdir -p "$root/DEBIAN"
DESTDIR=$root PREFIX=/usr ZSHDIR=/usr/share/zsh/vendor-completions packaging/install.sh install "$out"

# As Debian has its documents: the licence is in base-files, changes and manual pages are compressed.
doc=$root/usr/share/doc/lguest
rm "$doc/COPYING"
mv "$doc/CHANGELOG.md" "$doc/changelog"
cat >"$doc/changelog.Debian" <<END
lguest ($package) unstable; urgency=medium

  * Built from the sources of lguest $version; changelog.gz says what is new.

 -- $(sed -n 's/^Maintainer: //p' packaging/control)  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
gzip -9n "$doc"/changelog "$doc"/changelog.Debian "$root"/usr/share/man/man1/*.1
install -D -m 644 packaging/lintian-overrides "$root/usr/share/lintian/overrides/lguest"

(cd "$root" && find usr -type f | sort | xargs -d '\n' md5sum) >"$root/DEBIAN/md5sums"
sed -e "/^#/d" -e "s/@VERSION@/$package/" -e "s/@SIZE@/$(du -ks --apparent-size "$root/usr" | cut -f 1)/" -e "s/@DEPENDS@/$depends/" \
    packaging/control >"$root/DEBIAN/control"
chmod 644 "$root"/DEBIAN/*
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
file=$target/lguest_${package}_amd64.deb
dpkg-deb --root-owner-group -Zxz "-z$level" --build "$root" "$file" >/dev/null
echo "$file is ready"
