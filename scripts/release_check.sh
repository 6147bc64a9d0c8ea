# For release.sh to source: dist/ installed and used in Debians of their own.

# Debian 12, and the newest.
SUITES=(bookworm testing)
# Someone who has an account and nothing else.
PERSON=4242

need() { command -v "$1" >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null; }; }

# A small Debian of suite $1 with a C compiler and man, made once; and a copy of it, $root, to install into.
make_root() {
  local base=$work/debian-$1 mirror
  if [[ ! -e $base/.ready ]]; then
    say "making a Debian ($1) in $base"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
    rm -rf "$base"
    debootstrap --variant=minbase "$1" "$base" "$mirror" >"$base.log" 2>&1 || { tail -n 5 "$base.log" >&2; fail "debootstrap failed"; }
    chroot "$base" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      man-db bash-completion gcc libc6-dev pkgconf >>"$base.log" 2>&1 </dev/null || { tail -n 5 "$base.log" >&2; fail "apt-get failed"; }
    touch "$base/.ready"
  fi
  root=$work/root
  rm -rf "$root"
  cp -a "$base" "$root"
  mkdir -p "$root/proc"
}

# Runs a script in the copy, as root.
as_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -euc "$1" </dev/null; }

# The same as a person without a home folder, in an empty folder.
as_person() {
  rm -rf "$root/tmp/here"
  install -d -o "$PERSON" -g "$PERSON" "$root/tmp/here"
  chroot --userspec="$PERSON:$PERSON" "$root" env -i PATH=/usr/bin:/bin HOME=/nonexistent LANG=C.UTF-8 bash -euc "cd /tmp/here; $1" </dev/null
}

use_installed() {
  as_person '
    infer --digit 5 --seed 7 --preview none --quiet && test -s digit-5.png
    infer self-test | head -n 1
    man -P cat infer | grep -q "draw labelled digits\|Draw labelled digits"
    man -P cat infer-dataset | grep -q "EXAMPLES"
    . /usr/share/bash-completion/completions/infer
    COMP_WORDS=(infer --dig) COMP_CWORD=1
    _infer infer --dig infer
    test "${COMPREPLY[*]}" = "--digit --digits"
    test "$(ls)" = digit-5.png'
}

use_library() {
  as_person '
    cc -std=c11 -Wall -Wextra -Werror /usr/share/doc/edgegan/examples/draw.c $(pkg-config --cflags --libs edgegan) -o draw
    cc -std=c11 /usr/share/doc/edgegan/examples/draw.c $(pkg-config --cflags edgegan) -l:libedgegan.a \
      $(pkg-config --static --libs edgegan | sed s/-ledgegan//) -o draw-static
    model=$(pkg-config --variable=models edgegan)/mnist-generator.onnx
    ./draw "$model" 5 7 >shared.pgm
    ./draw-static "$model" 5 7 >static.pgm
    infer --digit 5 --seed 7 --preview none --quiet --out five.png
    cmp shared.pgm static.pgm
    test "$(head -c 9 shared.pgm | tr "\n" " ")" = "P5 28 28 "'
}

check_here() {
  local suite deb
  deb=$(deb_name x86_64)
  for suite in "${SUITES[@]}"; do
    make_root "$suite"
    cp "$dist/$deb" "$root/tmp/"
    as_root "dpkg -i /tmp/$deb >/dev/null"
    use_installed
    use_library
    as_root 'dpkg -r edgegan >/dev/null; test -z "$(find /usr -name "*edgegan*" -o -name infer)"'
    # The other form, in a folder of the person's own.
    cp "$dist/$(tar_name x86_64).tar.gz" "$root/tmp/edgegan.tar.gz"
    as_person '
      tar -xzf /tmp/edgegan.tar.gz --strip-components=1
      bin/infer --digit 5 --preview none --quiet
      export PKG_CONFIG_PATH=$PWD/lib/pkgconfig
      cc share/doc/edgegan/examples/draw.c $(pkg-config --cflags --libs edgegan) -Wl,-rpath,$PWD/lib -o draw
      ./draw "$(pkg-config --variable=models edgegan)/mnist-generator.onnx" 5 >five.pgm'
    say "the packages for x86-64 install, draw and go in Debian $(cat "$root/etc/debian_version")"
  done
}

# The packages for Arm in the same Debian, with its own libraries for Arm, run by QEMU.
check_arm() {
  local deb qemu tree
  deb=$(deb_name aarch64)
  qemu=$(command -v qemu-aarch64-static)
  make_root bookworm
  cp "$dist/$deb" "$root/tmp/"
  cp "$qemu" "$root/usr/bin/"
  cp /etc/resolv.conf "$root/etc/"
  as_root "dpkg --add-architecture arm64; apt-get update -qq; apt-get install -y -qq --no-install-recommends /tmp/$deb >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }"
  tree=$work/tar-aarch64/$(tar_name aarch64)
  link_with_zig aarch64
  "$ZIG_FOLDER/link-aarch64" -std=c11 infer/c/examples/draw.c -I "$tree/include" -L "$tree/lib" -ledgegan -o "$root/usr/bin/draw-aarch64"
  as_person '
    run() { qemu-aarch64-static -cpu cortex-a57 "$@"; }
    run /usr/bin/infer --digit 5 --seed 7 --preview none --quiet && test -s digit-5.png
    run /usr/bin/infer self-test | head -n 1
    man -P cat infer | grep -q infer
    run /usr/bin/draw-aarch64 /usr/share/edgegan/mnist-generator.onnx 5 7 >five.pgm
    test "$(head -c 9 five.pgm | tr "\n" " ")" = "P5 28 28 "'
  say "the package for 64-bit Arm installs and draws, on an emulated processor"
}

check() {
  local machine
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || fail "only root on Debian can make systems to install into; run this there."
  (cd "$dist" && sha256sum --quiet --check SHA256SUMS) || fail "dist/ is not what SHA256SUMS says; run scripts/release.sh."
  need debootstrap debootstrap
  need lintian lintian
  need qemu-aarch64-static qemu-user-static
  for machine in $MACHINES; do
    lintian --fail-on error "$dist/$(deb_name "$machine")" >"$work/lintian-$machine" || { cat "$work/lintian-$machine"; fail "lintian finds errors"; }
    case $machine in x86_64) check_here ;; aarch64) check_arm ;; esac
  done
  rm -rf "$work/root"
  say "passed"
}
