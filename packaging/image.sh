#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make image: an OCI image from scratch, as an archive that podman and skopeo read. It has the program, the libraries that the
# program is linked to, and the demo guest. Needs no privilege. IMAGE_TOOL=umoci|buildah names the tool to use.
. "$(dirname "$0")/common.sh"

tool=${IMAGE_TOOL:-$(command -v umoci || command -v buildah || true)}
[ -n "$tool" ] || fail "an OCI image needs umoci or buildah, and neither is here (apt-get install umoci)"
need "$tool" "an OCI image" umoci

root=$stage/root
DESTDIR=$root PREFIX=/usr packaging/install.sh install "$out"
rm -r "$root/usr/share/man" "$root"/usr/share/*completion* "$root/usr/share/fish" "$root/usr/share/zsh" "$root/usr/share/doc/lguest/docs"
find "$root/usr" -name lguest -type f -perm /1 -o -name '*.so' | xargs -n 1 ldd | grep -o '/[^ :]*' | grep -v "^$root" | sort -u |
    while read -r library; do
        install -D -m 755 "$library" "$root$library"
    done
for notice in /usr/share/doc/libc6/copyright; do
    [ ! -e $notice ] || install -D -m 644 $notice "$root$notice"
done

file=$target/lguest-$version-oci.tar
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
title="the small hypervisor of 2007, reborn"
case $tool in
*umoci)
    pack "$root" . >"$stage/layer.tar"
    image=$stage/oci:lguest:$version
    umoci init --layout "$stage/oci"
    umoci new --image "$image"
    umoci raw add-layer --image "$image" --history.created "$created" "$stage/layer.tar"
    umoci config --image "$image" --history.created "$created" --created "$created" --os linux --architecture amd64 \
        --config.entrypoint /usr/bin/lguest --config.cmd 64m --config.cmd /usr/share/lguest/demo \
        --config.label "org.opencontainers.image.title=lguest" --config.label "org.opencontainers.image.description=$title" \
        --config.label "org.opencontainers.image.version=$version" --config.label org.opencontainers.image.licenses=GPL-2.0-or-later
    umoci gc --layout "$stage/oci"
    pack "$stage/oci" . >"$file"
    ;;
*buildah)
    container=$(buildah from scratch)
    trap 'buildah rm "$container" >/dev/null 2>&1; rm -rf "$stage"' EXIT
    buildah add --quiet "$container" "$root" / >/dev/null
    buildah config --os linux --arch amd64 --entrypoint '["/usr/bin/lguest"]' --cmd '64m /usr/share/lguest/demo' \
        --label "org.opencontainers.image.title=lguest" --label "org.opencontainers.image.description=$title" \
        --label "org.opencontainers.image.version=$version" --label org.opencontainers.image.licenses=GPL-2.0-or-later "$container"
    rm -f "$file"
    buildah commit --quiet --timestamp "$SOURCE_DATE_EPOCH" "$container" "oci-archive:$file:lguest:$version" >/dev/null
    ;;
*)
    fail "IMAGE_TOOL is umoci or buildah, not '$tool'" ;;
esac
echo "$file is ready: podman load -i $file && podman run -it --rm lguest:$version"
