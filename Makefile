# What can be done here: `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
COVERED := $(BIN)/python -m slipcover --dont-wrap-pytest
# A test that hangs ends with its process and is named; the rest goes on in another.
LIMITED := -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true
PIP := $(PYTHON) -m pip --python $(BIN)/python install --disable-pip-version-check --quiet
LOCK := uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-annotate \
  --no-header --no-strip-extras --quiet

# Of two that run side by side, each line says whose it is.
SIDE_BY_SIDE = $(if $(WITH_NAMES),2>&1 | sed -u 's/^/$@ | /')

# A start takes three times as long where every import is compiled anew.
unexport PYTHONDONTWRITEBYTECODE

unit test-databases e2e timed storm upgrade fuzz: export TMPDIR = $(shell tests/temporary-folder)

.PHONY: help install run test test-databases test-matrix wheel sbom audit unit e2e timed lint format lock storm fuzz clients upgrade bench profile alerts screenshots system compiled clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## Install what is needed to run, exactly as locked, into .venv

run: .venv/.installed ## Run everything: web app, worker, queue, database, simulator
	@TZ=UTC $(BIN)/chairtime up

test: ## Check everything, then run all tests; installs what they need
	@$(MAKE) --no-print-directory -j3 system lint compiled
	@$(MAKE) --no-print-directory -j2 unit e2e WITH_NAMES=1  # one waits while the other computes
	@$(MAKE) --no-print-directory timed

unit: .venv/.installed-dev system ## Run the unit and integration tests, with their coverage
	$(COVERED) --json --out .coverage.json -m pytest $(LIMITED) -n 2 --dist worksteal -m 'not fuzz' --one-database-a-door tests/unit tests/integration $(SIDE_BY_SIDE)
	$(COVERED) --fail-under 95 --out .coverage.json --merge .coverage.json $(SIDE_BY_SIDE)

test-databases: .venv/.installed-dev system ## Run the tests of pages and API on both databases each, before a release
	$(PYTEST) -n 3 --dist worksteal -m 'not fuzz' tests/integration/api tests/integration/dashboard tests/integration/web

e2e: .venv/.installed-dev system ## Run the end-to-end tests
	$(PYTEST) $(LIMITED) -n 3 --dist loadfile --no-loadscope-reorder -m 'not timed and not storm' tests/e2e tests/faults $(SIDE_BY_SIDE)

timed: .venv/.installed-dev system ## Run the tests that measure time, one after the other
	$(PYTEST) $(LIMITED) -m 'timed and not storm' tests/e2e tests/faults

storm: .venv/.installed-dev system ## Run long tests with faults at random
	$(PYTEST) -m storm tests/faults

fuzz: .venv/.installed-dev system ## Give every route strange bytes in every field: half an hour
	$(PYTEST) -n auto --dist worksteal -m fuzz tests/integration

clients: .venv/.installed-dev .venv/.clients ## Run what generators make of the API's description, and examples in JavaScript
	$(PYTEST) tests/clients

upgrade: .venv/.installed-dev system ## Go from an older version (OLD, a commit) to this one under traffic
	OLD=$(OLD) $(PYTEST) -m storm tests/faults/test_upgrade.py

bench: .venv/.installed-dev system ## Measure how fast it is
	$(PYTEST) -s tests/benchmarks

profile: .venv/.installed-dev system ## Show where the time of a create goes, by statement and function
	$(PYTEST) -s tests/benchmarks/profile_create.py

alerts: ## Check alert rules and dashboard by promtool (Debian: prometheus)
	promtool check rules docs/monitoring/alerts.yml <(tests/dashboard-queries)
	promtool test rules docs/monitoring/alerts_test.yml

screenshots: .venv/.installed-dev system ## Take pictures of every page into docs/images
	$(BIN)/python -m tests.screenshots

lint: .venv/.installed-dev ## Check style, types, imports and templates
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(if $(wildcard templates),$(BIN)/djlint --check --lint templates)

format: .venv/.installed-dev ## Put the code into its agreed form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(if $(wildcard templates),-$(BIN)/djlint --reformat --quiet templates)

test-matrix: system ## Run unit and integration tests on Python 3.11 to 3.14 (PYTHONS names others)
	@tests/test-matrix

wheel: .venv/.installed-dev ## Build the package into dist/
	@$(BIN)/python -c 'from hatchling.build import build_wheel; print("dist/" + build_wheel("dist"))'

sbom: ## Say what the package is made of, in dist/sbom.json (CycloneDX); needs uv
	@mkdir -p dist
	uvx --from 'cyclonedx-bom>=7,<8' cyclonedx-py requirements --output-reproducible --output-file dist/sbom.json requirements.lock

audit: ## Look for known vulnerabilities of what is locked; needs uv, and the internet
	uvx --from 'pip-audit>=2.9,<3' pip-audit --require-hashes --disable-pip --requirement requirements.lock

lock: ## Renew both lock files from pyproject.toml
	@command -v uv >/dev/null || { echo "This needs uv: pip install uv" >&2; exit 1; }
	$(LOCK) --extra local --extra build -o requirements.lock
	$(LOCK) --extra local --extra build --extra dev -c requirements.lock -o requirements-dev.lock
	uv pip compile tests/clients/requirements.in --universal --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --quiet -o tests/clients/requirements.lock
	npm install --prefix tests/clients --package-lock-only --no-audit --no-fund
	$(PYTHON) -c 'import json, pathlib; file = pathlib.Path("tests/clients/package-lock.json"); \
	  lock = json.loads(file.read_text()); [each.pop("funding", None) for each in lock["packages"].values()]; \
	  file.write_text(json.dumps(lock, indent=2) + "\n")'  # which has addresses

system: ## Install the system packages that tests need (as root on Debian)
	@tests/system-packages

# Each process of the tests would else rewrite and compile all of them anew.
compiled: .venv/.installed-dev
	-@$(PYTEST) --collect-only -qq tests >/dev/null 2>&1  # what is wrong with one is shown by its run

clean: ## Remove the virtual environment and what tools left; bookings in var/ stay
	rm -rf .venv .venv-matrix dist .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# --- virtual environment ---

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Chairtime needs Python 3.11 or newer; say which: make PYTHON=python3.11 …" >&2; exit 1; }
	$(PYTHON) -m venv --without-pip .venv

.venv/.installed: requirements.lock | .venv/bin/python
.venv/.installed-dev: requirements-dev.lock | .venv/bin/python
# For tests nothing is compiled beforehand: they import a part of it.
.venv/.installed .venv/.installed-dev:
	@echo "Installing $$(grep -c == $<) packages into .venv: a minute or two"
	$(PIP) $(if $(findstring dev,$@),--no-compile) --require-hashes -r $<
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# Generators of clients have a place of their own: Litestar would load what comes with them at each start.
.venv/.clients: tests/clients/requirements.lock tests/clients/package-lock.json | .venv/bin/python
	@command -v npm >/dev/null || { echo "This needs Node.js 20 or newer, with npm" >&2; exit 1; }
	$(PYTHON) -m venv --without-pip .venv/clients
	$(PYTHON) -m pip --python .venv/clients/bin/python install --disable-pip-version-check --quiet \
	  --require-hashes -r tests/clients/requirements.lock
	cp tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc .venv/clients
	npm ci --prefix .venv/clients --no-audit --no-fund --silent
	@touch $@
