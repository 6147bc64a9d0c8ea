# The menu. `make` alone prints it; each line below is a target and what it does.
#
#   make train ARGS="--epochs 5 --seed 1"      options go through ARGS

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo train export infer test bench bench-export bench-infer check-dependencies

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

test: ## everything that must hold: format, lints, tests, documentation, dependencies
	@scripts/setup.sh test
	cargo fmt --all --check
	$(MAKE) --no-print-directory check-dependencies
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# The ONNX file is the contract: what draws digits on a small device carries no training framework.
check-dependencies:
	@tree=$$(cargo tree --locked -p infer -e normal --all-features --target all --prefix none); \
	if forbidden=$$(grep -E '^(candle|models |train |export |tests )' <<<"$$tree" | sort -u); then \
		echo "infer must depend on neither Candle nor a crate of the workspace but contract, but does on:" >&2; \
		echo "$$forbidden" >&2; exit 1; \
	fi; \
	tree=$$(cargo tree --locked -p contract -e normal --all-features --target all --prefix none); \
	if forbidden=$$(grep -E '^(candle|clap|ort |models |train |export |infer |tests )' <<<"$$tree" | sort -u); then \
		echo "contract must depend on no other crate of the workspace, Candle, clap or ONNX Runtime, but does on:" >&2; \
		echo "$$forbidden" >&2; exit 1; \
	fi; \
	echo "infer depends on contract alone of the workspace, contract on nothing of it; neither on Candle"

bench: ## measure one iteration of training, beside PyTorch where PYTHON=… has torch
	cargo bench -p train --bench iteration $(ARGS)

bench-export: ## measure the exported graph, beside torch.onnx.export's where PYTHON=… has torch
	@scripts/setup.sh runtime protoc
	cargo bench -p export --bench graph $(ARGS)

bench-infer: ## measure infer beside Python's ONNX Runtime; PYTHON=… has onnxruntime, numpy and pillow
	@scripts/setup.sh runtime
	cargo build --locked --release -p infer
	$(or $(PYTHON),python3) infer/benches/beside_onnxruntime.py target/release/infer $(ARGS)
