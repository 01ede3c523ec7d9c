# PGN Studio. `make` alone lists what there is.
# Each target makes .venv where it is missing or older than pyproject.toml.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
WORKERS ?= 2

# Where tests train and measure: last bits differ from processor to processor.
COMPUTING := $(addprefix tests/core/,training baselines classifiers evaluation export) tests/cli tests/gui/pages/inspect tests/gui/gallery

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-other check demo-models screenshots bench bench-step clean

help: ## this list
	@echo "make TARGET [PYTHON=python3.12] [ARGS=...]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) ## open the studio on the bundled demo
	$(BIN)/pgn-studio demo $(ARGS)

test: $(READY) ## run the tests but the slow ones in WORKERS=2 processes (ARGS go to pytest)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not slow" $(ARGS)

test-all: $(READY) ## run all tests: also kills, soak, hostile files, the oracle, a wheel, a real window
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

# oneDNN without bf16 and AVX-512 where the processor has bf16, else bf16 by emulation.
test-other: $(READY) ## the tests that compute, as on a processor of the other kind
	@if $(BIN)/python -c 'import sys; from pgn_studio.core.device import cpu_has_bf16; sys.exit(not cpu_has_bf16())'; \
	  then export ONEDNN_MAX_CPU_ISA=AVX2; else export PGN_STUDIO_TEST_BF16=1; fi; \
	  $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(COMPUTING) $(ARGS)

check: $(READY) ## lint, format, types, import contracts, dead code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy --strict -p pgn_studio -p tools
	$(BIN)/lint-imports
	$(BIN)/vulture

demo-models: $(READY) ## train the demo's classifier and PGNs anew, into trained/
	$(BIN)/python -m tools.make_demo $(ARGS)

screenshots: $(READY) ## draw the window's pictures for the docs
	$(BIN)/python -m tools.screenshots $(ARGS)

bench-step: $(READY) ## a training step beside Algorithm 1 written out and beside its floor (JSON=FILE)
	$(BIN)/python benchmarks/step.py $(if $(JSON),--json $(JSON)) $(ARGS)

bench: $(READY) bench-step ## all benchmarks: the step, data, evaluation, baselines, precision, the window
	$(BIN)/python benchmarks/data.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/baselines.py
	$(BIN)/python benchmarks/precision.py
	$(BIN)/python benchmarks/event_loop.py
	QT_QPA_PLATFORM=offscreen $(BIN)/python benchmarks/gallery.py

clean: ## remove what building and checking leave behind (.venv stays)
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# torch and torchvision come in one call: they must fit each other.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "PGN Studio needs Python 3.10 or newer; try: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -c 'import ensurepip' 2> /dev/null || \
	  { echo "Python's venv module is incomplete. On Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[test,oracle,docs]'
	@touch $@
