# One command for each thing one does here; `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INTEROP := tests/interop
BOARD := tests/board
# Test processes side by side: one more than the two cores that most have, since tests also wait. Whoever has
# done its share takes from the others.
JOBS ?= 3

# A shell counts its own seconds under this name, so only what make was told counts.
TIMED = $(if $(filter command line,$(origin SECONDS)),--seconds "$(SECONDS)") $(if $(SEED),--seed "$(SEED)")

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Tests start hundreds of programs, which need not each compile all that they import.
unexport PYTHONDONTWRITEBYTECODE

SETUP := $(VENV)/.installed
NODE := $(INTEROP)/node_modules/.installed
NODE_BOARD := $(BOARD)/node_modules/.installed
PORT := .cache/port
PORT_READY := $(PORT)/.installed
DOCS := $(VENV)/.docs-installed
# What the benchmark compares with, in environments of their own: some want other versions than others.
PEERS := peers peers-arq peers-taskiq
PEERS_READY := $(PEERS:%=.cache/%/.installed)
PAGES := docs/performance

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check public-types format golden fuzz soak bench bench-all bench-guard profile peers docs \
	lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## Make .venv with all that development needs

demo: $(SETUP) ## See toril work in a small shop (INPUT=folder takes your photos)
	@$(BIN)/python -m examples.shop $(if $(INPUT),"$(INPUT)")

test: $(SETUP) $(NODE) $(NODE_BOARD) $(PORT_READY) ## Run every test (ARGS=... for pytest, JOBS=n processes)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: $(SETUP) ## Check form, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory public-types

# pyright looks for the packages that toril imports where the first python of the path has them.
public-types: $(SETUP)
	@PATH=$(CURDIR)/$(BIN):$$PATH PYTHONPATH=src pyright --verifytypes toril --ignoreexternal | tail -n 20

format: $(SETUP) ## Bring the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(SETUP) ## Replay recorded scenarios of BullMQ (DIR=folder, URL=server, whose database is emptied)
	@$(BIN)/python -m tests.golden.replay $(if $(DIR),"$(DIR)",tests/golden) $(if $(URL),--url "$(URL)")

fuzz: $(SETUP) $(NODE) ## Tell random stories to BullMQ and toril (SECONDS=n, SEED=text, STORY=file)
	@$(BIN)/python -m tests.fuzz $(TIMED) $(if $(STORY),--story "$(STORY)")

soak: $(SETUP) ## Let workers suffer kills, deploys and outages, and count their jobs (SECONDS=n, SEED=text)
	@$(BIN)/python -m tests.soak $(TIMED)

bench: $(SETUP) $(NODE) $(PEERS_READY) ## Measure toril beside BullMQ and two Python peers, in 5 minutes (ARGS=...)
	@$(BIN)/python -m benchmarks.run --systems toril,bullmq,fastest --short --scale 0.4 --minutes 4.5 \
		--write $(PAGES)/latest.md $(ARGS)
	@.cache/peers/bin/python -m benchmarks.plots $(PAGES)/latest.json

bench-all: $(SETUP) $(NODE) $(PEERS_READY) ## Measure all there is beside all peers (ARGS=... for the benchmark)
	@$(BIN)/python -m benchmarks.run --systems all --rounds 3 --write $(PAGES)/all.md $(ARGS)
	@.cache/peers/bin/python -m benchmarks.plots $(PAGES)/all.json

bench-guard: $(SETUP) ## Hold what each job costs, counted and not timed, against budgets (ARGS=--update sets them)
	@$(BIN)/python -m benchmarks.guard $(ARGS)

profile: $(SETUP) ## Show where the time of a measure goes, in out/profile/ (WHAT=drain-100,add, ARGS=...)
	@$(BIN)/python -m benchmarks.profiling $(or $(WHAT),drain-100) $(ARGS)

peers: $(PEERS_READY) ## Install the Python peers that the benchmark compares with

docs: $(DOCS) ## Build the documentation into site/, strictly
	$(BIN)/zensical build --clean --strict

lock: $(SETUP) ## Pin the newest versions that pyproject.toml allows
	$(BIN)/python -m pip install -qq 'uv>=0.9'
	$(COMPILE) --extra dev pyproject.toml -o requirements/dev.lock
	$(COMPILE) --extra docs -c requirements/dev.lock pyproject.toml -o requirements/docs.lock
	$(COMPILE) --no-deps requirements/photos.in -o requirements/photos.lock
	$(COMPILE) requirements/port.in -o requirements/port.lock
	for peers in $(PEERS); do $(COMPILE) requirements/$$peers.in -o requirements/$$peers.lock; done
	cd $(INTEROP) && npm install --package-lock-only --no-audit --no-fund
	cd $(BOARD) && npm install --package-lock-only --no-audit --no-fund

clean: ## Remove all that the other commands made
	rm -rf $(VENV) $(INTEROP)/node_modules $(BOARD)/node_modules .toril build dist out site .cache
	rm -rf .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find src tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

COMPILE := $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-package toril --custom-compile-command 'make lock'

# A venv that was left half made is made anew.
$(SETUP): pyproject.toml requirements/dev.lock requirements/photos.lock
	@$(PYTHON) -c 'import sys; sys.exit("toril needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install -qq --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install -qq --require-hashes --no-deps -r requirements/photos.lock
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(DOCS): $(SETUP) requirements/docs.lock
	$(BIN)/python -m pip install -qq --require-hashes -r requirements/docs.lock
	@touch $@

$(NODE) $(NODE_BOARD): %/node_modules/.installed: %/package.json %/package-lock.json
	@command -v npm >/dev/null || { echo 'The tests beside BullMQ need Node 20 or newer, with npm.' >&2; exit 1; }
	cd $* && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# BullMQ's Python port wants versions of its own of packages that toril uses.
$(PORT_READY): requirements/port.lock
	@mkdir -p $(dir $(PORT))
	$(PYTHON) -m venv --clear $(PORT)
	$(PORT)/bin/python -m pip install -qq --require-hashes -r requirements/port.lock
	@touch $@

$(PEERS_READY): .cache/%/.installed: requirements/%.lock
	@mkdir -p .cache
	$(PYTHON) -m venv --clear .cache/$*
	.cache/$*/bin/python -m pip install -qq --require-hashes -r requirements/$*.lock
	@touch $@
