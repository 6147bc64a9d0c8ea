#!/usr/bin/env bash
# Builds infer's library for browsers (infer/web, with rten alone): target/wasm/infer.wasm. scripts/web.sh makes
# a page of it.
#
# Uses the standard library for that target where rustc has one (`rustup target add wasm32-unknown-unknown`
# brings it). Elsewhere it makes target/wasm-root, once: a small Debian testing with Rust, from the mirror
# that apt is configured with, which takes root, a minute or two and 2 GB.
set -euo pipefail
cd "$(dirname "$0")/.."

TARGET=wasm32-unknown-unknown
BUILD=(cargo build --locked -p infer-web --profile web --target "$TARGET" --target-dir target/wasm
  --config "target.$TARGET.rustflags=['-Ctarget-feature=+simd128']")
ROOT=$PWD/target/wasm-root

fail() { printf 'wasm: %s\n' "$*" >&2; exit 1; }

make_root() {
  [[ -e $ROOT/.ready ]] && return
  [[ $(id -u) == 0 ]] || fail "this rustc has no standard library for $TARGET, and only root can make a system with one; run \`rustup target add $TARGET\`, or this as root."
  command -v apt-get >/dev/null || fail "this rustc has no standard library for $TARGET; install it, such as with \`rustup target add $TARGET\`."
  command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq debootstrap >/dev/null; }
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
  rm -rf "$ROOT"
  mkdir -p "$ROOT"
  {
    debootstrap --variant=minbase testing "$ROOT" "$mirror"
    # With debootstrap's own list of packages, what depends on what would have to be spelt out.
    chroot "$ROOT" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      cargo rustc libstd-rust-dev-wasm32 lld gcc libc6-dev
  } >"$ROOT.log" 2>&1 </dev/null || { tail -n 5 "$ROOT.log" >&2; fail "the Debian in $ROOT can't be made; $ROOT.log has all of it."; }
  touch "$ROOT/.ready"
}

# Debian's cargo runs in the checkout, under the same path, with the crates that this machine's has fetched.
build_in_root() {
  cargo fetch --quiet --locked
  mkdir -p "$ROOT$PWD" "$ROOT/cargo"
  unshare --mount bash -euc '
    root=$1; shift
    mount --bind "$PWD" "$root$PWD"
    mount --bind "${CARGO_HOME:-$HOME/.cargo}" "$root/cargo"
    exec chroot "$root" env PATH=/usr/bin:/bin CARGO_HOME=/cargo CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld \
      sh -c "cd \"\$1\" && shift && exec \"\$@\"" sh "$PWD" "$@"
  ' bash "$ROOT" "$@"
}

if [[ -d $(rustc --print target-libdir --target "$TARGET") ]]; then
  "${BUILD[@]}"
else
  make_root
  # Debian's Rust may be older than the workspace's.
  build_in_root "${BUILD[@]}" --offline --ignore-rust-version
fi
MODULE=target/wasm/infer.wasm
cp "target/wasm/$TARGET/web/infer_web.wasm" "$MODULE"
echo "wasm: infer's library for browsers is $MODULE, $(wc -c <"$MODULE") bytes, $(gzip -9 <"$MODULE" | wc -c) gzipped"
