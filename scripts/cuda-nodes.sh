#!/usr/bin/env bash
# Which nodes of a model ONNX Runtime's CUDA provider takes, asked on a machine without a GPU.
#
#   scripts/cuda-nodes.sh [MODEL…]      without a model: the shipped generator
#
# The provider decides on the host which nodes it runs, before it computes anything. So pip's
# onnxruntime-gpu is loaded over stand-ins for CUDA's libraries, which claim a GPU and compute nothing
# (null_cuda.c), and `infer doctor` loads each model there: what it prints is the provider's own answer.
# Ends with 1 if a node of a model would run elsewhere. Whether pictures are right and how fast they are
# drawn only a GPU can tell (gpu-check.sh).
#
# Needs Rust, a C compiler with binutils, Python 3 with pip, and x86-64.
set -euo pipefail
cd "$(dirname "$0")/.."

(($#)) || set -- models/pretrained/mnist-generator.onnx
scripts/setup.sh gpu
# The newest, should one that was fetched before lie there too.
runtime=$(printf '%s\n' runtime/gpu/libonnxruntime.so.* | sort -V | tail -1)
provider=runtime/gpu/libonnxruntime_providers_cuda.so
cargo build --locked --release -p infer

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The functions that the provider wants, a line each: name and library. It finds cuDNN's itself.
nm -D --undefined-only "$provider" | sed -nE 's/^ *U (.*[^@])@+(lib.*)$/\1 \2/p' >"$work/wanted"
printf '%s libcudnn.so.9\n' cudnnCreate cudnnDestroy cudnnSetStream >>"$work/wanted"
echo 'cuTensorMapEncodeTiled libcuda.so.1' >>"$work/wanted"
cc -c -fPIC -o "$work/null_cuda.o" scripts/null_cuda.c
nm --defined-only "$work/null_cuda.o" | sed 's/.* //' >"$work/written"
# libcurand too, of which the provider wants the library and no function.
for library in $(cut -d' ' -f2 "$work/wanted" | sort -u) libcurand.so.10; do
  written=()
  [[ $library != libcudart* ]] || written=("$work/null_cuda.o")
  sed -n "s/ $library\$//p" "$work/wanted" | grep -vxFf "$work/written" |
    sed 's/.*/long &(void) { return 0; }/' >"$work/stubs.c" || true
  # Versions of functions are named after their libraries.
  echo "$library { *; };" >"$work/versions"
  cc -shared -fPIC -w -o "$work/$library" "$work/stubs.c" "${written[@]}" \
    -Wl,-soname,"$library" -Wl,--version-script="$work/versions"
done

status=0
for model in "$@"; do
  found=$(LD_LIBRARY_PATH=$work "${CARGO_TARGET_DIR:-target}/release/infer" doctor --runtime "$runtime" --model "$model") || { status=1; continue; }
  cuda=$(grep -E '^onnxruntime +cuda:0 ' <<<"$found")
  # Its first picture fails, as there is no GPU to draw it.
  placed=$(sed -nE 's/.* no: loaded on (.*), but .*/\1/p' <<<"$cuda")
  echo "$model: ${placed:-$cuda}"
  [[ $placed =~ ^CUDAExecutionProvider\ \([0-9]+\ nodes?\)$ ]] || status=1
done
exit "$status"
