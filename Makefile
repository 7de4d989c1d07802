# Two commands do everything on a fresh machine: `make run` (the demo) and `make test` (all tests).
# Variables you may set:  make run PYTHON=python3.12    make test TORCH_INDEX=https://my.mirror/whl/cpu

PYTHON ?= python3
VENV ?= .venv
# Torch is only needed for tests and for the pytorch backend. It comes from its CPU index: the default
# index would bring gigabytes of CUDA.
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
CONTRACT ?= configs/demo.yaml

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
QUIETLY := -q --no-warn-script-location

.PHONY: help run run-all test lint bench demo-model docs clean
.DELETE_ON_ERROR:

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: $(VENV)/.installed-run  ## judge the demo model on three targets (needs only the CPU extra)
	@$(BIN)/benchpact run $(CONTRACT)

run-all: $(VENV)/.installed-test  ## the same model on every backend, torch included
	@$(BIN)/benchpact run configs/digits-all.yaml

test: lint  ## every test, after the linters
	@command -v c++ >/dev/null || { echo "make test: no C++ compiler: torch.compile needs one: sudo apt install g++"; exit 1; }
	$(BIN)/python -m tests.packaged_models
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv-bench/.installed  ## speed beside the peers, 5 minutes on a quiet machine; writes docs/benchmarks.md
	@.venv-bench/bin/python -m tests.speed

demo-model: $(VENV)/.installed-test  ## train the demo model again
	$(BIN)/python configs/digits/train.py

docs: $(VENV)/.installed-test  ## write the generated pages again
	$(BIN)/python -m bench.contract.reference > docs/contract.md

clean:  ## remove what make made; results stay
	rm -rf $(VENV) .venv-bench build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# An environment that was left half made has no stamp, and is made again.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON): sudo apt install python3 python3-venv, or say which: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), benchpact needs 3.10 or newer: install one and say make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) has no venv module: sudo apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

.venv-bench/.installed: pyproject.toml tests/speed/requirements.txt | $(VENV)/bin/python
	@echo "installing benchpact and the peers it is measured beside into .venv-bench ..."
	@$(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/python -m pip install $(QUIETLY) --no-deps --retries 2 --index-url $(TORCH_INDEX) $(TORCH)
	@.venv-bench/bin/python -m pip install $(QUIETLY) -e '.[cpu,torch]' -r tests/speed/requirements.txt
	@touch $@

$(VENV)/.installed-run: pyproject.toml | $(VENV)/bin/python
	@echo "installing benchpact and its CPU backends into $(VENV) ..."
	@$(PIP) install $(QUIETLY) -e '.[cpu]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	@echo "installing benchpact, its backends and what tests need into $(VENV) ..."
	@$(PIP) install $(QUIETLY) --no-deps --retries 2 --index-url $(TORCH_INDEX) $(TORCH)
	@$(PIP) install $(QUIETLY) -e '.[cpu,torch,sklearn,test]'
	@touch $@ $(VENV)/.installed-run
