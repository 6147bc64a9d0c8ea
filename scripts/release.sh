#!/usr/bin/env bash
# Makes dist/: for x86-64 and 64-bit Arm, with glibc 2.28 as the oldest, a tar.gz and a .deb with the program
# `infer`, the C library, manual pages, completions and the licences of all that is inside; and SHA256SUMS.
#
#   scripts/release.sh              build and pack
#   scripts/release.sh check        install what is in dist/ in fresh Debians, 12 and testing, and use it there
#   scripts/release.sh reproduce    build the last commit again, in another folder; the bytes must be the same
#   MACHINES=x86_64 scripts/release.sh …      for one of the machines, x86_64 or aarch64, whose pages are those
#                                   of the build for x86_64
#
# Needs Linux on x86-64, rustup, Python 3 with pip (which carries the linker, zig) and dpkg-deb. To check, Debian
# and root: it installs debootstrap, lintian and qemu-user-static where they lack.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

MACHINES=${MACHINES:-x86_64 aarch64}
# What the files' times are, and who Debian's users write to: those of the last commit.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
MAINTAINER=${MAINTAINER:-$(git log -1 --format='%an <%ae>')}
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
SONAME=libedgegan.so.${VERSION%.*}

say() { printf 'release: %s\n' "$*"; }
fail() { printf 'release: %s\n' "$*" >&2; exit 1; }
source scripts/zig.sh

work=$PWD/target/dist
dist=$PWD/dist

# Debian's name of a machine.
debian() { case $1 in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) fail "there are no packages for $1" ;; esac; }
target_of() { echo "$1-unknown-linux-gnu"; }
tar_name() { echo "edgegan-$VERSION-$1-linux"; }
deb_name() { echo "edgegan_${VERSION}_$(debian "$1").deb"; }

# Where the checkout and the crates lie, and where this is built, doesn't show in the programs. The libraries are
# optimised as a whole: compiled crate by crate, the names of what crates share have hashes that come out otherwise
# in another folder.
build() {
  local separator=$'\x1f' flags target
  target=$(target_of "$1")
  link_with_zig "$1"
  flags="--remap-path-prefix=$PWD=/edgegan$separator--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  local -x CARGO_ENCODED_RUSTFLAGS=$flags CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_TARGET_DIR=$work/build CARGO_INCREMENTAL=0
  cargo build --locked --release --target "$target" -p infer
  CARGO_PROFILE_RELEASE_LTO=fat \
    cargo rustc --locked --release --target "$target" -p infer-c --lib --crate-type cdylib,staticlib
  check_glibc "$work/build/$target/release/infer"
  check_glibc "$work/build/$target/release/libedgegan.so"
}

# rustc's own objcopy, which knows all machines.
objcopy() {
  local root
  root=$(rustc --print sysroot)
  LD_LIBRARY_PATH=$root/lib "$root/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-objcopy" "$@"
}

# Lays machine $1's files out under $2 as below a prefix; libraries are in $3, zsh's completions in $4.
lay_out() {
  local release root=$2 libraries=$2/$3 doc=$2/share/doc/edgegan
  release=$work/build/$(target_of "$1")/release
  install -D -m 755 "$release/infer" "$root/bin/infer"
  install -D -m 644 "$release/libedgegan.so" "$libraries/libedgegan.so.$VERSION"
  ln -s "libedgegan.so.$VERSION" "$libraries/$SONAME"
  ln -s "$SONAME" "$libraries/libedgegan.so"
  objcopy --strip-debug --enable-deterministic-archives "$release/libedgegan.a" "$libraries/libedgegan.a"
  chmod 644 "$libraries/libedgegan.a"
  install -D -m 644 infer/c/include/edgegan.h "$root/include/edgegan.h"
  install -D -m 644 -t "$root/share/edgegan" models/pretrained/{mnist-generator,mnist-judge,avatars}.onnx
  install -D -m 644 -t "$doc" models/pretrained/{MODEL,AVATARS,JUDGE}_CARD.md
  install -D -m 644 -t "$doc/examples" infer/c/examples/*
  # The pages are the same on each machine.
  local infer=$work/build/$(target_of x86_64)/release/infer
  mkdir -p "$root/share/man/man1"
  "$infer" man "$root/share/man/man1"
  completion bash "$root/share/bash-completion/completions/infer"
  completion zsh "$root/$4/_infer"
  completion fish "$root/share/fish/vendor_completions.d/infer.fish"
}

completion() {
  mkdir -p "$(dirname "$2")"
  "$work/build/$(target_of x86_64)/release/infer" completions "$1" >"$2"
}

# Writes the pkg-config file $1 for prefix $2 and libraries in $3.
pkg_config() {
  mkdir -p "$(dirname "$1")"
  sed -e '/^#/d' -e "s|@PREFIX@|$2|; s|@LIBDIR@|$3|; s|@VERSION@|$VERSION|" infer/c/edgegan.pc.in >"$1"
}

# Everything under $1 is of the last commit's time.
settle() { find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +; }

pack_tar() {
  local name root
  name=$(tar_name "$1")
  root=$work/tar-$1/$name
  rm -rf "$work/tar-$1"
  lay_out "$1" "$root" lib share/zsh/site-functions
  # The files serve wherever they are unpacked.
  pkg_config "$root/lib/pkgconfig/edgegan.pc" '${pcfiledir}/../..' '${prefix}/lib'
  cp LICENSE-MIT LICENSE-APACHE "$root/share/doc/edgegan/"
  python3 scripts/licences.py notice "$(target_of "$1")" infer infer-c >"$root/share/doc/edgegan/THIRD-PARTY-LICENCES.txt"
  settle "$root"
  tar --sort=name --owner=0 --group=0 --numeric-owner --format=gnu -C "$work/tar-$1" -c "$name" | gzip -9n >"$dist/$name.tar.gz"
}

pack_deb() {
  local root=$work/deb-$1 triplet=$1-linux-gnu doc size
  doc=$root/usr/share/doc/edgegan
  rm -rf "$root"
  lay_out "$1" "$root/usr" "lib/$triplet" share/zsh/vendor-completions
  pkg_config "$root/usr/lib/$triplet/pkgconfig/edgegan.pc" /usr "\${prefix}/lib/$triplet"
  find "$root/usr/share/man" -type f -exec gzip -9n {} +
  python3 scripts/licences.py notice "$(target_of "$1")" infer infer-c | gzip -9n >"$doc/third-party-licences.txt.gz"
  copyright >"$doc/copyright"
  changelog | gzip -9n >"$doc/changelog.gz"
  mkdir -p "$root/DEBIAN"
  size=$(du -k --apparent-size -s "$root/usr" | cut -f1)
  cat >"$root/DEBIAN/control" <<CONTROL
Package: edgegan
Version: $VERSION
Architecture: $(debian "$1")
Maintainer: $MAINTAINER
Installed-Size: $size
Depends: libc6 (>= $GLIBC)
Suggests: libonnxruntime-dev, bash-completion, pkgconf
Section: graphics
Priority: optional
Description: draw labelled pictures from a generator's ONNX file
 The program infer draws digits, or any classes by their names, from a
 generator that was exported to ONNX; one of handwritten digits is part of
 it. It needs no other library, and uses ONNX Runtime where the machine has
 it.
 .
 The C library libedgegan draws into the memory of other programs.
CONTROL
  echo "libedgegan ${VERSION%.*} edgegan (>= ${VERSION%.*})" >"$root/DEBIAN/shlibs"
  echo 'activate-noawait ldconfig' >"$root/DEBIAN/triggers"
  (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  settle "$root"
  dpkg-deb --root-owner-group -Zxz -z6 --threads-max=1 --build "$root" "$dist/$(deb_name "$1")" >/dev/null
}

copyright() {
  cat <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: edgegan
Comment: The program and the libraries contain other crates, whose licences are in
 /usr/share/doc/edgegan/third-party-licences.txt.gz

Files: *
Copyright: $(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y) the authors of edgegan
License: MIT or Apache-2.0

License: MIT
$(sed '1,/^$/d; s/^$/./; s/^/ /' LICENSE-MIT)

License: Apache-2.0
 On Debian systems, the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
COPYRIGHT
}

changelog() {
  cat <<CHANGELOG
edgegan ($VERSION) unstable; urgency=medium

  * The program infer and the C library libedgegan, as of this commit.

 -- $MAINTAINER  $(LC_ALL=C date --utc --date="@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %H:%M:%S +0000')
CHANGELOG
}

# Programs need nothing of the machine but glibc.
check_needs() {
  local found
  found=$(readelf -d "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u |
    grep -vE '^(lib(c|m|dl|rt|util|pthread)\.so\.[0-9]|ld-linux-.*)$' || true)
  [[ -z $found ]] || fail "the programs need $found, which a machine may lack"
}

release() {
  local machine
  mkdir -p "$dist" "$work"
  for machine in $MACHINES; do
    build "$machine"
    check_needs "$work/build/$(target_of "$machine")/release/"{infer,libedgegan.so}
  done
  for machine in $MACHINES; do
    pack_tar "$machine"
    pack_deb "$machine"
  done
  (cd "$dist" && LC_ALL=C sha256sum "edgegan-$VERSION-"* "edgegan_${VERSION}_"* >SHA256SUMS)
  du -b "$dist"/* | while read -r size file; do say "$size bytes: $file"; done
}

reproduce() {
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
  [[ -z $(git status --porcelain --untracked-files=no) ]] || fail "the checkout has changes; commit them, and build dist/ anew."
  git archive HEAD | tar -x -C "$copy"
  # The linker need not be fetched again.
  mkdir -p "$copy/target/zig"
  ln -s "$ZIG_FOLDER/$ZIG" "$copy/target/zig/$ZIG"
  MACHINES=$MACHINES MAINTAINER=$MAINTAINER "$copy/scripts/release.sh"
  if grep -vxFf "$dist/SHA256SUMS" "$copy/dist/SHA256SUMS"; then
    fail "the second build has other bytes"
  fi
  say "two builds in two folders have the same bytes"
}

case ${1:-release} in
  release) release ;;
  check) source scripts/release_check.sh; check ;;
  reproduce) reproduce ;;
  *) sed -n '2,13p' "$0" | cut -c3- >&2; exit 2 ;;
esac
