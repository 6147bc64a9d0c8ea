#!/usr/bin/env bash
# Whether a file draws the same pixels on an x86-64 processor without VNNI: an emulated Haswell, by QEMU's
# user-mode emulation. What adds pairs of 8-bit products in 16 bits there is what an int8 file must not
# overflow. (scripts/aarch64.sh asks the same of Arm.)
#
#   scripts/without-vnni.sh small.onnx
#
# Needs ONNX Runtime's library in runtime/ (scripts/setup.sh) and, on Debian, apt-get install qemu-user-static.
set -euo pipefail
cd "$(dirname "$0")/.."

IMAGES=100

fail() { printf 'without-vnni: %s\n' "$*" >&2; exit 1; }

[[ $# == 1 ]] || fail "name one ONNX file, as in: scripts/without-vnni.sh small.onnx"
qemu=$(command -v qemu-x86_64-static || command -v qemu-x86_64) || fail "there is no qemu-x86_64; see the top of this file"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo build --quiet --locked --release -p infer
images=(dataset --count "$IMAGES" --seed 1 --format raw --engine onnxruntime --model "$1" --threads 1 --quiet)
target/release/infer "${images[@]}" --out "$work/here.raw"
"$qemu" -cpu Haswell target/release/infer "${images[@]}" --out "$work/there.raw"
printf 'an emulated Haswell, beside this processor: '
python3 scripts/same_images.py "$work/here.raw" "$work/there.raw"
