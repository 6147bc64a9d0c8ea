# The menu. `make` alone prints it; each line below is a target and what it does.
#
#   make train ARGS="--epochs 5 --seed 1"      options go through ARGS

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo train export infer test web release bench bench-export bench-infer bench-serve bench-web check-dependencies \
	check-licences check-wasm

ARGS ?=
DEMO := demo

help: ## print this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## fetch ONNX Runtime, MNIST and protoc, where missing
	@scripts/setup.sh

demo: ## draw a five and all ten digits with the shipped generator
	@scripts/setup.sh runtime
	cargo build --release -p infer
	@mkdir -p $(DEMO)
	cargo infer --digit 5 --out $(DEMO)/digit-5.png
	cargo infer --all --out $(DEMO)/digits.png
	@echo "The pictures are $(CURDIR)/$(DEMO)/digit-5.png and $(CURDIR)/$(DEMO)/digits.png"

train: ## train on MNIST into runs/
	@scripts/setup.sh mnist
	cargo train $(ARGS)

export: ## turn the newest run into gen.onnx, checked (ARGS="--out FILE" for another name)
	@scripts/setup.sh runtime protoc
	cargo export $(if $(findstring --out,$(ARGS)),,--out gen.onnx) $(ARGS)

infer: ## draw a digit (ARGS="--digit 5 --count 10")
	@scripts/setup.sh runtime
	cargo infer $(if $(ARGS),$(ARGS),--digit 5)

web: ## make dist/web/, the page of `infer serve` without a server, for any host of files
	@scripts/setup.sh runtime protoc
	@scripts/web.sh $(ARGS)

test: ## everything that must hold: format, lints, tests, documentation, dependencies, licences, wasm32
	@scripts/setup.sh test
	cargo fmt --all --check
	$(MAKE) --no-print-directory check-dependencies check-licences
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(MAKE) --no-print-directory check-wasm
	cargo test --locked --workspace
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# The ONNX file is the contract: what draws digits on a small device carries no training framework, and the
# library that draws them no command line either.
check-dependencies:
	@forbid() { \
		local names="$$1" tree found; shift; \
		tree=$$(cargo tree --locked -e normal --target all --prefix none "$$@"); \
		if found=$$(grep -E "^($$names) v" <<<"$$tree" | sort -u); then \
			echo "what \`cargo tree $$*\` shows must not depend on:" >&2; echo "$$found" >&2; exit 1; \
		fi; \
		grep -q '^contract v' <<<"$$tree" || { echo "nothing of contract is in \`cargo tree $$*\`" >&2; exit 1; }; \
	}; \
	command='clap.*|terminal_size|indicatif|console|crossterm'; \
	engines='ort|ort-sys|rten.*|libloading'; \
	server='axum.*|hyper.*|tokio|tower.*'; \
	forbid "models|train|export|infer|tests|candle.*|$$engines|$$command|$$server" -p contract --all-features; \
	forbid "train|export|infer|tests|$$command" -p models --all-features; \
	forbid "export|tests|$$server" -p train --all-features; \
	forbid "train|tests|$$server" -p export --all-features; \
	forbid "train|tests|$$command" -p export --no-default-features; \
	forbid "models|train|export|tests|candle.*" -p infer --all-features; \
	forbid "models|train|export|tests|candle.*|ort|ort-sys|libloading|$$command|$$server" \
		-p infer --no-default-features --features rten; \
	forbid "models|train|export|tests|candle.*|ort|ort-sys|libloading|$$command|$$server" -p infer-web; \
	forbid "models|train|export|tests|candle.*|$$command|$$server" -p infer-c --all-features; \
	echo "each crate depends on what it may: contract on no other, infer on contract alone"

# What is given away brings the licences of all that is inside; none may ask for more than that.
check-licences:
	@python3 scripts/licences.py check

check-wasm:
	@scripts/wasm.sh

release: ## packages for x86-64 and Arm in dist/
	@scripts/release.sh

bench: ## measure one iteration of training, beside PyTorch where PYTHON=… has torch
	cargo bench -p train --bench iteration $(ARGS)

bench-export: ## measure the exported graph, beside torch.onnx.export's where PYTHON=… has torch
	@scripts/setup.sh runtime protoc
	cargo bench -p export --bench graph $(ARGS)

bench-infer: ## measure infer beside Python's ONNX Runtime; PYTHON=… has onnxruntime, numpy and pillow
	@scripts/setup.sh runtime
	cargo build --locked --release -p infer
	$(or $(PYTHON),python3) infer/benches/beside_onnxruntime.py target/release/infer $(ARGS)

bench-serve: ## measure infer serve beside FastAPI under load; PYTHON=… has fastapi and uvicorn (ARGS="--soak 600")
	@scripts/setup.sh runtime
	cargo build --locked --release -p infer
	$(or $(PYTHON),python3) infer/benches/beside_fastapi.py target/release/infer $(ARGS)

bench-web: web ## measure the page in dist/web/ in Chromium, beside infer
	@scripts/setup.sh test
	cargo build --locked --release -p infer
	PLAYWRIGHT=runtime/playwright-core CHROMIUM=$${CHROMIUM:-$$(command -v chromium)} \
		node infer/benches/in_a_browser.mjs dist/web target/release/infer \
		models/pretrained/mnist-generator.onnx
