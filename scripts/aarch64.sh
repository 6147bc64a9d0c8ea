#!/usr/bin/env bash
# Builds `infer` for 64-bit Arm with glibc 2.28 as the oldest (JetPack 5 has 2.31), and runs it under
# user-mode emulation: the self-test and the digests of a data set, with rten and with ONNX Runtime.
#
#   scripts/aarch64.sh            build, and check if QEMU is installed
#   scripts/aarch64.sh build      build only
#   scripts/aarch64.sh check      run what was built
#   MODEL=small.onnx scripts/aarch64.sh check      the self-test of another model than the one in infer
#
# Needs rustup and Python 3 with pip, which carries the linker (ziglang) and ONNX Runtime's library. To
# check, on Debian: apt-get install qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross
# libgcc-s1-arm64-cross. The program is target/aarch64-unknown-linux-gnu/release/infer; copy it to the
# device with the library that this leaves in target/aarch64/ beside it.
set -euo pipefail
cd "$(dirname "$0")/.."

TARGET=aarch64-unknown-linux-gnu
ONNX_RUNTIME=1.32.0
ONNX_RUNTIME_SHA256=49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a
SYSROOT=${SYSROOT:-/usr/aarch64-linux-gnu}
IMAGES=200

say() { printf 'aarch64: %s\n' "$*"; }
fail() { printf 'aarch64: %s\n' "$*" >&2; exit 1; }
source scripts/zig.sh

work=$PWD/target/aarch64
program=$PWD/target/$TARGET/release/infer
library=$work/libonnxruntime.so.$ONNX_RUNTIME
mkdir -p "$work"

build() {
  link_with_zig aarch64
  cargo build --locked --release --target "$TARGET" -p infer
  check_glibc "$program"
}

fetch_library() {
  [[ -f $library ]] && return
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --implementation cp --python-version 3.13 --abi cp313 \
    --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
    --dest "$work/wheel" "onnxruntime==$ONNX_RUNTIME"
  python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
    "$work"/wheel/onnxruntime-*.whl "onnxruntime/capi/libonnxruntime.so.$ONNX_RUNTIME" >"$library.tmp"
  echo "$ONNX_RUNTIME_SHA256  $library.tmp" | sha256sum --check --quiet
  mv "$library.tmp" "$library"
}

# ONNX Runtime asks /proc/cpuinfo what the processor is, and falls over this machine's. QEMU looks for
# files in its own root first; the processor is a Cortex-A57, as in the oldest Jetsons.
make_root() {
  mkdir -p "$work/root/proc"
  ln -sfn "$SYSROOT/lib" "$work/root/lib"
  local processor
  for ((processor = 0; processor < $(nproc); processor++)); do
    printf '%s\t: %s\n' processor "$processor" BogoMIPS 62.50 \
      Features 'fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid' 'CPU implementer' 0x41 \
      'CPU architecture' 8 'CPU variant' 0x1 'CPU part' 0xd07 'CPU revision' 0
    echo
  done >"$work/root/proc/cpuinfo"
}

# Runs the program as an Arm processor would.
emulated() { "$qemu" -cpu cortex-a57 -L "$work/root" "$program" "$@"; }

check() {
  qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || fail "there is no qemu-aarch64; see the top of this file"
  [[ -e $SYSROOT/lib/ld-linux-aarch64.so.1 ]] || fail "there is no glibc for Arm in $SYSROOT; see the top of this file"
  fetch_library
  make_root
  say "on an emulated processor:"
  local model=(${MODEL:+--model "$MODEL"})
  emulated self-test --engine rten "${model[@]}"
  emulated self-test --engine onnxruntime --runtime "$library" "${model[@]}"

  # The same images as on this machine, by this machine's own build.
  local images=(dataset --count "$IMAGES" --seed 1 --format raw --out -)
  cargo run --quiet --locked --release -p infer -- "${images[@]}" --engine rten >"$work/here.raw"
  emulated "${images[@]}" --engine rten >"$work/rten.raw"
  emulated "${images[@]}" --engine onnxruntime --runtime "$library" >"$work/onnxruntime.raw"
  local engine
  for engine in rten onnxruntime; do
    printf '%s on aarch64, beside rten here: ' "$engine"
    python3 scripts/same_images.py "$work/here.raw" "$work/$engine.raw"
  done
  say "passed"
}

case ${1:-all} in
  build) build ;;
  check) check ;;
  all) build; check ;;
  *) sed -n '2,14p' "$0" | cut -c3- >&2; exit 2 ;;
esac
