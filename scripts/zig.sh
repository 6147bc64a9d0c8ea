# For other scripts to source: a linker that knows the symbols of every glibc, so that what is built here
# runs on older systems. It is zig, which pip carries.

# The oldest glibc that programs run with: Debian 10's; JetPack 5 has 2.31.
GLIBC=2.28
ZIG=0.17.1
ZIG_FOLDER=$PWD/target/zig

# Makes a linker for $1-unknown-linux-gnu, has cargo use it, and gets the standard library for that target.
# Zig names the processor for itself.
link_with_zig() {
  local machine=$1 target=$1-unknown-linux-gnu linker=$ZIG_FOLDER/link-$1 variable
  command -v rustup >/dev/null || fail "rustup is not on PATH; it brings the standard library for $target."
  rustup --quiet target add "$target"
  mkdir -p "$ZIG_FOLDER"
  if [[ ! -d $ZIG_FOLDER/$ZIG ]]; then
    python3 -m pip install --quiet --disable-pip-version-check --target "$ZIG_FOLDER/$ZIG.tmp" "ziglang==$ZIG"
    mv "$ZIG_FOLDER/$ZIG.tmp" "$ZIG_FOLDER/$ZIG"
  fi
  printf '#!/usr/bin/env bash\nexec "%s" cc -target %s-linux-gnu.%s "$@"\n' \
    "$ZIG_FOLDER/$ZIG/ziglang/zig" "$machine" "$GLIBC" >"$linker"
  chmod +x "$linker"
  variable=${target^^}
  export "CARGO_TARGET_${variable//-/_}_LINKER=$linker"
}

# Fails if file $1 needs a newer glibc than that.
check_glibc() {
  local newest
  newest=$(grep -aoE 'GLIBC_2\.[0-9]+' "$1" | sort -uV | tail -1)
  [[ $(printf '%s\n' "$newest" "GLIBC_$GLIBC" | sort -V | tail -1) == "GLIBC_$GLIBC" ]] ||
    fail "$1 needs $newest, and should run with GLIBC_$GLIBC"
  say "$1 ($(du -h "$1" | cut -f1)) needs $newest at most"
}
