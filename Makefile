# Everything runs from a fresh checkout: the first target that needs it makes .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: quickstart test sweep architectures quantizers lint build clean bench

## train the built-in tiny model on shipped data, offline, and ask it what it learned
quickstart: .venv/base
	OMP_NUM_THREADS=1 $(BIN)/python examples/quickstart.py

## all tests that a change has to pass (about 8 minutes on two cores, side by side)
test: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not sweep" -n auto --dist worksteal

## what takes longer; writes its dated results to tests/sweep/results, to be committed
sweep: .venv/dev
	$(BIN)/python -m tests.sweep

## the one of them that tries every decoder of transformers, and prints its table (3 minutes)
architectures: .venv/dev
	$(BIN)/python -m tests.sweep architectures

## the one of them that trains beside every quantizer, in an environment of its own; before it what
## `make test` skips for want of these packages
quantizers: .venv-quantizers/ready
	OMP_NUM_THREADS=1 .venv-quantizers/bin/python -m pytest -m "not sweep" tests/plugins/quantizers
	OMP_NUM_THREADS=1 .venv-quantizers/bin/python -m tests.sweep quantizers

## formatting, lint, types, and the direction of imports
lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## the wheel and the source distribution, in dist/
build: .venv/dev
	rm -rf dist
	$(BIN)/python -m build --no-isolation

## performance figures, as ratios measured side by side in one run
bench: .venv/dev
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/templates.py
	$(BIN)/python benchmarks/cross_entropy.py
	$(BIN)/python benchmarks/gradient_checkpointing.py
	$(BIN)/python benchmarks/s2_attention.py
	$(BIN)/python benchmarks/training.py --steps 6 --rounds 1 --methods lora
	$(BIN)/python benchmarks/methods.py --tokens 4096
	$(BIN)/python benchmarks/ppo.py
	$(BIN)/python benchmarks/evaluation.py --steps 4

clean:
	rm -rf .venv .venv-quantizers build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# torch first, at its pinned version: another one may bring gigabytes of CUDA with it
.venv/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	@echo "installing into .venv: the first time takes a minute or two"
	$(PIP) torch
	$(PIP) --editable .
	touch $@

.venv/dev: .venv/base
	$(PIP) --editable ".[test,lint]"
	touch $@

# GPTQModel wants an older numpy than the other tests are run with
.venv-quantizers/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-quantizers
	grep -v '^numpy==\|^pandas==' constraints.txt > .venv-quantizers/constraints.txt
	.venv-quantizers/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint .venv-quantizers/constraints.txt torch setuptools wheel
	.venv-quantizers/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint .venv-quantizers/constraints.txt --editable ".[test,bnb,hqq,torchao,gptq,aqlm]" "numpy<2.3"
	touch $@
