# Two commands do everything on a fresh machine: `make run` (the demo) and `make test` (all tests).
# Variables you may set:  make run PYTHON=python3.12    make test TORCH_INDEX=https://my.mirror/whl/cpu
#                         make run PIP_INDEX_URL=https://my.mirror/simple    (any of pip's own variables)

PYTHON ?= python3
VENV ?= .venv
# Torch is only needed for tests and for the pytorch backend. It comes from its CPU index: the default
# index would bring gigabytes of CUDA.
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
CONTRACT ?= configs/demo.yaml
# TensorRT for the GPU suite, from NVIDIA's own index. ONNX Runtime's provider wants version 10; the native one takes 11, too.
TENSORRT ?= tensorrt-cu13<11
# Two test files at a time: more would only disturb each other's timings.
JOBS ?= 2
GPU_TOOLS = $(or $(BENCHPACT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/benchpact-tests)/gpu-tools
BOARD ?= emulated

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
QUIETLY := -q --no-warn-script-location
# What pip says of an index that cannot be reached is long, and tells nobody what to do: this is the last line.
INDEX = $${PIP_INDEX_URL:-$$($(PIP) config get global.index-url 2>/dev/null || echo https://pypi.org/simple)}
OR_SAY = || { echo "make: pip could not install: where it reached no index ($$(echo "$(1)" | sed 's|//[^/@]*@|//|')), this machine is offline or needs another: make $(MAKECMDGOALS) $(2)=https://my.mirror/..."; exit 1; }
FROM_INDEX = $(call OR_SAY,$(INDEX),PIP_INDEX_URL)
FROM_TORCH_INDEX = $(call OR_SAY,$(TORCH_INDEX),TORCH_INDEX)

.PHONY: help run run-all test test-board test-board-long test-gpu-tools test-gpu install-gpu lint bench bench-board board board-stop demo-model docs clean
.DELETE_ON_ERROR:

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: $(VENV)/.installed-run  ## judge the demo model on three backends (needs only the CPU extra)
	@$(BIN)/benchpact run $(CONTRACT)

run-all: $(VENV)/.installed-test  ## the same model on every backend, torch included
	@$(BIN)/benchpact run configs/digits-all.yaml

test: lint  ## every test, after the linters
	@command -v c++ >/dev/null || { echo "make test: no C++ compiler: torch.compile needs one: sudo apt install g++"; exit 1; }
	$(BIN)/python -m tests.packaged_models
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-gpu-tools: $(VENV)/.installed-test  ## fallback and synchronisation on providers that stand in for a GPU: a few minutes, 1 GB of environments, kept
	@command -v cc >/dev/null || { echo "make test-gpu-tools: no C compiler: sudo apt install gcc"; exit 1; }
	@tests/gpu_tools/install.sh "$(GPU_TOOLS)" $(BIN)/python $(FROM_INDEX)
	$(BIN)/python -m pytest -m gpu_tools tests/gpu_tools

test-board: $(VENV)/.installed-test  ## from nothing to a verdict on an emulated aarch64 board, and the faults that happen most: ten minutes
	BENCHPACT_CI=1 $(BIN)/python -m pytest -m 'board and not board_long' --durations=10 tests/board tests/edge

test-board-long: $(VENV)/.installed-test  ## the rest of what may happen to a board, and docs/edge.md on one: half an hour
	BENCHPACT_CI=1 $(BIN)/python -m pytest -m 'board and board_long' --durations=10 tests/board tests/edge

install-gpu: .venv-gpu/.installed  ## benchpact with ONNX Runtime for CUDA and TensorRT, into .venv-gpu: on a machine with an NVIDIA GPU

# Each file in a process of its own: NVIDIA's libraries are told once a process whether fp32 may be TF32.
test-gpu: .venv-gpu/.installed-test  ## the GPU suite: needs an NVIDIA GPU, and fails without one
	@status=0; for file in tests/gpu/test_*.py; do .venv-gpu/bin/python -m pytest -m gpu $$file || status=1; done; exit $$status

lint: $(VENV)/.installed-test  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv-bench/.installed  ## speed, verdicts and load beside the peers, half an hour on a quiet machine; writes docs/benchmarks.md
	@.venv-bench/bin/python -m tests.speed

bench-board: $(VENV)/.installed-test  ## what the way to a board costs, on an emulated one, a quarter of an hour on a quiet machine; writes docs/edge-benchmarks.md
	@$(BIN)/python -m tests.speed.edge

board:  ## start an emulated aarch64 board to try things on, and say how to use it
	@config=$$(tests/board/board.sh start $(BOARD)) || exit 1; \
	printf '%s\n' "the board $(BOARD) is up. It is emulated: how fast it is says nothing of any ARM machine." \
	  "  ssh -F $$config $(BOARD)            (root: $(BOARD)-root)" \
	  "  export BENCHPACT_SSH_CONFIG=$$config" \
	  "  benchpact device prepare $(BOARD) --backend onnxruntime    then name it in a target: host: $(BOARD)" \
	  "  make board-stop"

board-stop:  ## remove that board
	@tests/board/board.sh remove $(BOARD)

demo-model: $(VENV)/.installed-test  ## train the demo model again
	$(BIN)/python configs/digits/train.py
	$(BIN)/python configs/digits/make_tflite.py

docs: $(VENV)/.installed-test  ## write the generated page again, and draw the plots that explain
	$(BIN)/python -m bench.contract.reference > docs/contract.md
	$(BIN)/python -m tests.docs.plots

clean:  ## remove what make made; results stay
	rm -rf $(VENV) .venv-bench .venv-gpu build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# An environment that was left half made has no stamp, and is made again.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON): sudo apt install python3 python3-venv, or say which: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), benchpact needs 3.10 or newer: install one and say make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) has no venv module: sudo apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

# Apart from $(VENV): onnxruntime and onnxruntime-gpu overwrite each other.
.venv-gpu/.installed: pyproject.toml | $(VENV)/bin/python
	@command -v nvidia-smi >/dev/null || echo "make: no nvidia-smi here: install NVIDIA's driver before you measure"
	@echo "installing benchpact and ONNX Runtime for NVIDIA's GPUs into .venv-gpu ..."
	@$(PYTHON) -m venv --clear .venv-gpu
	@.venv-gpu/bin/python -m pip install $(QUIETLY) -e '.[gpu]' $(FROM_INDEX)
	@touch $@

.venv-gpu/.installed-test: .venv-gpu/.installed
	@.venv-gpu/bin/python -m pip install $(QUIETLY) -e '.[gpu,tensorrt,tensorrt-rtx,torch,test]' '$(TENSORRT)' 'polygraphy>=0.53' $(FROM_INDEX)
	@touch $@

.venv-bench/.installed: pyproject.toml tests/speed/requirements.txt | $(VENV)/bin/python
	@echo "installing benchpact and the peers it is measured beside into .venv-bench ..."
	@$(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/python -m pip install $(QUIETLY) --no-deps --retries 2 --index-url $(TORCH_INDEX) $(TORCH) $(FROM_TORCH_INDEX)
	@.venv-bench/bin/python -m pip install $(QUIETLY) -e '.[cpu,torch]' -r tests/speed/requirements.txt $(FROM_INDEX)
	@touch $@

$(VENV)/.installed-run: pyproject.toml | $(VENV)/bin/python
	@echo "installing benchpact and its CPU backends into $(VENV) ..."
	@$(PIP) install $(QUIETLY) -e '.[cpu]' $(FROM_INDEX)
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	@echo "installing benchpact, its backends and what tests need into $(VENV) ..."
	@$(PIP) install $(QUIETLY) --no-deps --retries 2 --index-url $(TORCH_INDEX) $(TORCH) $(FROM_TORCH_INDEX)
	@$(PIP) install $(QUIETLY) -e '.[cpu,torch,sklearn,test]' $(FROM_INDEX)
	@touch $@ $(VENV)/.installed-run
