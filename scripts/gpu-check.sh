#!/usr/bin/env bash
# Everything that only a GPU can tell, in one go; prints what passed and ends with 1 if anything failed.
#
#   scripts/gpu-check.sh                 on a machine with a GPU, Rust and the CUDA toolkit
#   scripts/gpu-check.sh --pack FOLDER   builds for another machine: all it needs, into FOLDER
#   scripts/gpu-check.sh --from FOLDER   on that machine, which then needs no Rust and no toolkit
#
# Options for the run: --out FOLDER (logs, the run and its figures; default gpu-check/), --epochs E of the
# timed run (default 25), --runtime FILE (ONNX Runtime's library with its providers beside it, as scripts/setup.sh gpu
# fetches them; without it, `infer` is not checked). PYTHON names a Python with torch, to be measured beside;
# without one, ours is measured alone. MNIST is read from data/mnist (scripts/setup.sh mnist).
#
#   1 kernels      the CUDA kernels against Candle's operations in double precision, forward and back; with factors
#                  of bfloat16 too
#   2 golden       forward passes, losses and three iterations against PyTorch's numbers
#   3 replay       iterations replayed as a CUDA graph against the same kernel by kernel, to the bit
#   4 graphs       an epoch each way: the same checkpoint, to the bit
#   5 resume       a run that is stopped and resumed
#   6 iteration    one iteration in f32, TF32 and bf16, kernel by kernel and as a CUDA graph, with the host's time of
#                  each; beside PyTorch, eager, compiled, and compiled into CUDA graphs; the parts of an iteration
#   7 run          the reference recipe, timed; memory of the GPU after the first epoch and at the end
#   8 tf32, bf16   one epoch in each
#   9 infer        the shipped generator on ONNX Runtime's CUDA provider: all its nodes run there, the golden case,
#                  its pictures beside the CPU's, and the time of both
#
# Checks 3 and 4, and what is of bf16 and of graphs in the others, have not been run on a GPU yet.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,25p' "$0" | cut -c3- >&2; exit 2; }
pack='' from='' out=gpu-check epochs=25 runtime=''
while (($#)); do
  (($# >= 2)) || usage
  case $1 in
    --pack) pack=$2 ;;
    --from) from=$2 ;;
    --out) out=$2 ;;
    --epochs) epochs=$2 ;;
    --runtime) runtime=$(realpath "$2") ;;
    *) usage ;;
  esac
  shift 2
done

# Builds the programs and the test programs with CUDA, and links them by plain names into folder $1.
build() {
  local folder=$1 line name path
  # The same packages and features each time, or cargo builds Candle's kernels twice.
  local packages=(--locked --release -p models -p train -p infer -p tests --features models/cuda,train/cuda,tests/cuda)
  mkdir -p "$folder"
  cargo build "${packages[@]}" --bin train --bin infer --test golden --bench iteration --message-format json >"$folder/built.json"
  cargo test "${packages[@]}" --lib --no-run --message-format json >>"$folder/built.json"
  while IFS=$'\t' read -r name path; do
    install -s "$path" "$folder/$name"
  done < <(python3 - "$folder/built.json" <<'PY'
import json, sys
wanted = {("train", "bin"): "train", ("infer", "bin"): "infer", ("models", "lib"): "kernels", ("train", "lib"): "replay", ("golden", "test"): "golden", ("iteration", "bench"): "iteration"}
found = {}
for line in open(sys.argv[1]):
    message = json.loads(line)
    if message.get("executable"):
        target = message["target"]
        name = wanted.get((target["name"], target["kind"][0]))
        if name:
            found[name] = message["executable"]
for name, path in found.items():
    print(name, path, sep="\t")
PY
  )
  rm "$folder/built.json"
  for name in train infer kernels replay golden iteration; do
    [[ -x $folder/$name ]] || { echo "gpu-check: cargo built no $name" >&2; exit 1; }
  done
}

if [[ -n $pack ]]; then
  build "$pack/programs"
  tar -C "$pack" -czf "$pack/programs.tar.gz" programs
  rm -r "$pack/programs"
  for file in data/mnist/*-ubyte; do
    gzip -9 -c "$file" >"$pack/$(basename "$file").gz"
  done
  du -sh "$pack"
  echo "gpu-check: carry the checkout and $pack to the other machine; there: scripts/gpu-check.sh --from $pack"
  exit 0
fi

data=data/mnist
mkdir -p "$out"
if [[ -n $from ]]; then
  data=$from
  tar -C "$out" -xzf "$from/programs.tar.gz"
else
  build "$out/programs"
fi
programs=$(realpath "$out/programs")
export PYTHON=${PYTHON:-python3}
# The CUDA libraries that come with PyTorch serve where no toolkit is installed.
libraries=$("$PYTHON" -c 'import nvidia; print(":".join(f"{path}/{part}/lib" for path in nvidia.__path__ for part in ("cu13", "cudnn")))' 2>/dev/null || true)
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}${libraries:+:$libraries}
device=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)
memory() { nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits | head -1; }

failed=0
# Runs a check, shows its output, keeps it, and says whether it passed. Inside a check `set -e` doesn't
# hold: its commands are chained.
check() {
  local name=$1
  shift
  echo "== $name"
  if "$@" 2>&1 | tee "$out/$name.log"; then
    echo "passed: $name" | tee -a "$out/summary.txt"
  else
    echo "FAILED: $name" | tee -a "$out/summary.txt"
    failed=1
  fi
}

kernels() {
  # Without the line that grep looks for the tests ran, but on the CPU alone.
  "$programs/kernels" --nocapture 2>&1 | tee "$out/kernels.txt" && grep -q 'on a GPU' "$out/kernels.txt"
}

golden() {
  CARGO_MANIFEST_DIR=$PWD/tests "$programs/golden" --nocapture 2>&1 | tee "$out/golden.txt" &&
    grep -q 'on the GPU' "$out/golden.txt"
}

replay() {
  "$programs/replay" --nocapture replayed 2>&1 | tee "$out/replay.txt" && grep -q 'replayed on a GPU' "$out/replay.txt"
}

graphs() {
  local way file
  for way in on off; do
    rm -rf "$out/graphs-$way"
    "$programs/train" --data "$data" --device cuda --cuda-graphs "$way" --epochs 1 --out "$out/graphs-$way" --json \
      2>"$out/graphs-$way.txt" || return 1
    cat "$out/graphs-$way.txt"
  done
  ! grep "can't be recorded" "$out/graphs-on.txt" || return 1
  for file in "$out"/graphs-on/checkpoints/* "$out/graphs-on/generator.safetensors"; do
    cmp "$file" "${file/graphs-on/graphs-off}" || return 1
  done
  echo "the same to the bit: $(cd "$out/graphs-on" && echo checkpoints/* generator.safetensors)"
}

resume() {
  local epochs status=0
  rm -rf "$out/stopped"
  timeout --signal INT 20 "$programs/train" --data "$data" --device cuda --epochs 1000 --out "$out/stopped" || status=$?
  # 124: stopped by timeout, which doesn't say how the program took it; the next lines do.
  ((status == 124 || status == 130)) || return 1
  epochs=$("$PYTHON" -c "import json; print(int(json.loads(open('$out/stopped/metrics.jsonl').read().splitlines()[-1])['epoch']) + 2)") &&
    "$programs/train" --resume "$out/stopped" --device cuda --epochs "$epochs" && rm -rf "$out/stopped"
}

iteration() { CARGO_MANIFEST_DIR=$PWD/train "$programs/iteration" --device cuda; }

run() {
  rm -rf "$out/run"
  "$programs/train" --data "$data" --device cuda --epochs "$epochs" --out "$out/run" --json &
  local training=$! first='' now='' largest=0
  while kill -0 "$training" 2>/dev/null; do
    sleep 1
    now=$(memory)
    [[ -z $first && -e $out/run/samples/epoch-001.png ]] && first=$now
    ((now > largest)) && largest=$now
  done
  wait "$training" || return 1
  echo "memory of the GPU: ${first:-?} MiB after the first epoch, $largest MiB at most"
}

tf32() {
  rm -rf "$out/tf32"
  "$programs/train" --data "$data" --device cuda --tf32 --epochs 1 --out "$out/tf32" --json
}

bf16() {
  rm -rf "$out/bf16"
  "$programs/train" --data "$data" --device cuda --precision bf16 --epochs 1 --out "$out/bf16" --json
}

infer() {
  local cuda=(--runtime "$runtime" --device cuda) cpu=(--runtime "$runtime" --device cpu) device
  local many=(dataset --count 10000 --seed 1 --format raw --quiet)
  "$programs/infer" doctor "${cuda[@]}" | tee "$out/doctor.txt" &&
    grep -E '^onnxruntime +cuda:0 +ready: CUDAExecutionProvider \([0-9]+ nodes\)$' "$out/doctor.txt" &&
    "$programs/infer" self-test "${cuda[@]}" &&
    "$programs/infer" "${many[@]}" "${cuda[@]}" --out "$out/cuda.raw" &&
    "$programs/infer" "${many[@]}" "${cpu[@]}" --out "$out/cpu.raw" &&
    "$PYTHON" scripts/same_images.py "$out/cuda.raw" "$out/cpu.raw" || return 1
  for device in cuda cpu; do
    "$programs/infer" bench --runtime "$runtime" --device "$device" || return 1
  done
  for device in cuda cpu; do
    "$programs/infer" dataset --count 60000 --seed 1 --runtime "$runtime" --device "$device" --out "$out/digits-$device" &&
      rm -r "$out/digits-$device" || return 1
  done
  rm -f "$out"/{cuda,cpu}.raw*
}

echo "$device" | tee "$out/summary.txt"
check kernels kernels
check golden golden
check replay replay
check graphs graphs
check resume resume
check iteration iteration
check run run
check tf32 tf32
check bf16 bf16
if [[ -n $runtime ]]; then
  check infer infer
else
  echo "left out: infer (--runtime names ONNX Runtime's library)" | tee -a "$out/summary.txt"
fi
echo "== summary"
cat "$out/summary.txt"
exit "$failed"
