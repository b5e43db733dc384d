# The one way to do each thing, on any machine that has make and Python 3.11 or newer.
# The environment lives in .venv; it is made when needed, and again when pyproject.toml or a kernel changes.

SHELL := bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# Two stamps, so that the demo need not wait for tools that only tests use.
RUNTIME := $(VENV)/runtime.stamp
DEV := $(VENV)/dev.stamp
KERNELS := $(wildcard streamframe/native/*.[ch])
# Twice quiet: only errors. What pip warns about here, nobody can act on.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

.PHONY: help demo test system-packages check lint soak clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## read a CSV over HTTP, filter it, write Parquet, print a receipt
	@$(BIN)/python docs/demo.py

# pytest comes last: its closing line is what one looks for.
# System packages come first: a compiler is one of them.
test: system-packages $(DEV) ## everything that CI runs: the checks, the data, all tests
	@$(MAKE) lint
	@echo "datasets…"
	@$(BIN)/python datasets/make.py --check
	@echo "text without the kernels…"
	@STREAMFRAME_NATIVE=0 $(BIN)/python -m pytest -m "not soak" tests/formats
	@echo "all tests…"
	@$(BIN)/python -m pytest -m "not soak"

system-packages:
	@bash .ci/system-packages

check: $(DEV) ## under a minute: format, lint, types, layers, fast tests
	@$(MAKE) lint
	@echo "fast tests…"
	@$(BIN)/python -m pytest -m "not slow and not soak"

lint: $(DEV) ## format, lint, types, layers
	@echo "format, lint, types, layers…"
	@$(BIN)/ruff format --check --quiet . || { echo "Hint: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports > $(VENV)/layers.txt || { cat $(VENV)/layers.txt; exit 1; }

# pytest says 5 when it found no test: then there is nothing to soak, which is not a failure.
soak: $(DEV) ## the long tests: gigabytes, hours (those marked "soak")
	@$(BIN)/python -m pytest -m soak --timeout=7200 || { code=$$?; \
	  if [ $$code = 5 ]; then echo "no test is marked soak yet"; else exit $$code; fi; }

clean: ## remove the environment, caches and builds
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@bash .ci/make-venv $(VENV)

$(RUNTIME): pyproject.toml $(KERNELS) | $(BIN)/python
	@echo "installing streamframe into $(VENV)…"
	@$(PIP) --editable .
	@touch $@

$(DEV): pyproject.toml $(KERNELS) | $(BIN)/python
	@echo "installing streamframe and the development tools into $(VENV)…"
	@$(PIP) --editable '.[dev]'
	@touch $(RUNTIME) $@
