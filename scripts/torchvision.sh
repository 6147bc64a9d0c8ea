#!/usr/bin/env bash
# Has torchvision's own readers, MNIST and ImageFolder, read what `infer dataset` writes, and compares counts,
# labels, classes' names and pixels with the raw pixels of the same seed.
#
#   PYTHON=python3 scripts/torchvision.sh [INFER]
#
# PYTHON has torch, torchvision, numpy and pillow. The tests do without, as torch takes gigabytes.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
INFER=$(realpath "${1:-target/release/infer}")
READ=$PWD/tests/tests/cli/infer/read_data_set.py
COUNT=2500 TEST=300

fail() { printf 'torchvision: %s\n' "$*" >&2; exit 1; }

[[ -x $INFER ]] || fail "there is no program $INFER; build it with \`cargo build --release -p infer\`, or name it."
"$PYTHON" -c 'import torchvision' 2>/dev/null || fail "$PYTHON has no torchvision; name one that has with PYTHON=…"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
write() { "$INFER" dataset --seed 5 --quiet "$@"; }
write --count $((COUNT + TEST)) --out "$folder/all.raw"
write --count $COUNT --test $TEST --out "$folder/mnist/MNIST/raw"
write --count $((COUNT + TEST)) --format folder --out "$folder/pictures"

"$PYTHON" "$READ" mnist "$folder/mnist" >"$folder/mnist.json"
"$PYTHON" "$READ" imagefolder "$folder/pictures" >"$folder/imagefolder.json"
"$PYTHON" - "$folder" $COUNT $TEST <<'PYTHON'
import hashlib, json, pathlib, sys

folder, count, test = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:])
raw = (folder / "all.raw").read_bytes()
size = len(raw) // (count + test)
assert size == 28 * 28, size


def check(found, first, images):
    assert found["count"] == images, found["count"]
    assert found["labels"] == [index % 10 for index in range(first, first + images)]
    assert found["classes"] == list("0123456789"), found["classes"]
    assert found["pixels"] == hashlib.sha256(raw[first * size : (first + images) * size]).hexdigest()


mnist = json.loads((folder / "mnist.json").read_text())
check(mnist["train"], 0, count)
check(mnist["test"], count, test)
check(json.loads((folder / "imagefolder.json").read_text())["train"], 0, count + test)
PYTHON
version=$("$PYTHON" -c 'import torch, torchvision; print(torchvision.__version__, "with torch", torch.__version__)')
echo "torchvision $version reads MNIST's files and a folder for each class as they were written: $((COUNT + TEST)) images each"
