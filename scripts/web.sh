#!/usr/bin/env bash
# Makes the page of `infer serve` without a server: dist/web/, plain files for any host of files.
#
#   scripts/web.sh [--model FILE [--judge FILE]] [--out FOLDER]
#
#   --model FILE   a generator that `export` wrote, best with --target browser; without it, that form of the
#                  shipped one, which is made here (for this ONNX Runtime and protoc are needed: make setup)
#   --judge FILE   a judge of its images; without it and without --model, the shipped one
#   --out FOLDER   another folder than dist/web; it must not be there yet, unless it is of this script
#
# scripts/wasm.sh says what it takes to compile for browsers.
set -euo pipefail
caller=$PWD
cd "$(dirname "$0")/.."

fail() { printf 'web: %s\n' "$*" >&2; exit 1; }
absolute() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$caller" "$1" ;; esac; }

MODEL=
JUDGE=
OUT=dist/web
while (($#)); do
  [[ $# -ge 2 ]] || fail "$1 needs a value; see the first lines of scripts/web.sh"
  case $1 in
    --model) MODEL=$(absolute "$2") ;;
    --judge) JUDGE=$(absolute "$2") ;;
    --out) OUT=$(absolute "$2") ;;
    *) fail "there is no option $1; the options are --model, --judge and --out" ;;
  esac
  shift 2
done
[[ -n $MODEL || -z $JUDGE ]] || fail "--judge needs --model: the shipped generator has a judge of its own"
for file in "$MODEL" "$JUDGE"; do
  [[ -z $file || -f $file ]] || fail "$file is no file"
done
[[ ! -e $OUT || -f $OUT/files.js ]] || fail "$OUT is there, and not by this script; name another folder with --out"

scripts/wasm.sh
mkdir -p "$(dirname "$OUT")"
new=$(mktemp -d "$OUT.XXXXXX")
trap 'rm -rf "$new"' EXIT
chmod 755 "$new"
if [[ -z $MODEL ]]; then
  MODEL=$new/mnist-generator-browser.onnx
  JUDGE=models/pretrained/mnist-judge.onnx
  cargo run --quiet --release -p export -- --from models/pretrained/mnist-generator.onnx --target browser \
    --out "$MODEL" --quiet
fi

# The page, marked as one without a server. What a server would send as a header stands in the page; the rest of
# its policy, frame-ancestors, has no effect there.
POLICY="default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; \
img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
PAGE=infer/src/bin/infer/serve/page
mkdir "$new/assets" "$new/models"
cp "$PAGE"/*.{js,css,svg} infer/web/page/*.js "$new/assets/"
mv "$new/assets/service-worker.js" "$new/"
cp target/wasm/infer.wasm "$new/assets/"
sed -e "s|^<meta charset=\"utf-8\">|&\n<meta http-equiv=\"Content-Security-Policy\" content=\"$POLICY\">\n<meta name=\"backend\" content=\"browser\">|" \
  -e '/^<noscript>/,/<\/noscript>$/c\<noscript><p class="notice">This page draws with JavaScript.</p></noscript>' \
  "$PAGE/index.html" >"$new/index.html"

grep -q 'Content-Security-Policy' "$new/index.html" && ! grep -q 'digits/2024.png' "$new/index.html" ||
  fail "$PAGE/index.html has changed so that this script doesn't find what is to be changed for a page without a server"

# Adds a model: under a name that tells its content, so that it may be kept for good.
describe() {
  local sha256 name
  sha256=$(sha256sum "$1" | cut -d' ' -f1)
  name=$(basename "$1")
  cp "$1" "$new/models/${sha256:0:16}.onnx"
  python3 -c 'import json, sys; print(json.dumps(dict(name=sys.argv[1], file=sys.argv[2], bytes=int(sys.argv[3]), sha256=sys.argv[4])))' \
    "$name" "models/${sha256:0:16}.onnx" "$(wc -c <"$1")" "$sha256"
}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
printf '{"program": "infer %s", "generator": %s, "judge": %s}\n' "$version" "$(describe "$MODEL")" \
  "$([[ -z $JUDGE ]] && echo null || describe "$JUDGE")" >"$new/models.json"
rm -f "$new/mnist-generator-browser.onnx"

# What the service worker keeps.
files=$(cd "$new" && find . -type f ! -path './models/*' ! -name service-worker.js | LC_ALL=C sort)
digest=$(cd "$new" && cat service-worker.js $files | sha256sum | cut -c1-16)
{
  printf 'self.VERSION = "%s";\nself.FILES = [\n  "./",\n' "$digest"
  printf '  "%s",\n' $files
  printf '];\n'
} >"$new/files.js"

rm -rf "$OUT"
mv "$new" "$OUT"
trap - EXIT
echo "web: the page is $OUT: serve it with any host of files, such as \`python3 -m http.server --directory ${OUT#"$PWD"/}\`"
