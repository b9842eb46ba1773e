# One command each for whoever comes new: `make demo`, `make test`. Both set themselves up.

SHELL  := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV   := .venv
PY     := $(VENV)/bin/python
BROKER := $(VENV)/bin/xoev-broker
STAMP  := $(VENV)/.stamp
# More than the processors of a small machine: many tests wait for servers, and none may depend on
# order or on a machine of its own.
WORKERS ?= 3
PYTEST := $(PY) -m pytest -n $(WORKERS)
CODE   := broker tests adapters tools $(wildcard benchmarks)
# How long `make soak` and `make fuzz` last, and what its troubles follow from.
MINUTES ?= 20
SEED    ?= 1
# How many nodes of RabbitMQ `make servers` starts.
NODES  ?= 1
LOCK   := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml

.PHONY: attacks fuzz help setup demo demo-cluster run servers servers-packages test test-all check lock bench soak docs release audit clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 25

setup: $(STAMP) ## prepare .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@python=$${PYTHON:-}; \
	for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	  [ -n "$$python" ] && break; \
	  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$$name; \
	done; \
	[ -n "$$python" ] || { \
	  echo "xoev-broker needs Python 3.11 or newer; found: $$(python3 --version 2>&1 || echo none)." >&2; \
	  echo "Install it (Debian 12: apt install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3" >&2; \
	  exit 1; }; \
	[ -x $(PY) ] && $(PY) -c '' 2>/dev/null || { \
	  echo "set-up: new environment in $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv --clear $(VENV) || { \
	    echo "set-up: venv is missing (Debian: apt install python3-venv)" >&2; exit 1; }; }
	@echo "set-up: installing the packages of requirements.lock"
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(PY) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "set-up: done"

demo: setup ## three cities on one machine: applications in, answers back (about 20 s)
	@$(BROKER) demo

demo-cluster: setup servers-packages ## the same on PostgreSQL, 3 RabbitMQ nodes, 3 workers; kills one of each
	@$(BROKER) demo --cluster

run: setup ## leave the broker of the demo running in the foreground
	@$(BROKER) demo --stay

servers-packages: ## Debian packages of the servers that tests start (installs them when root)
	@.ci/packages

servers: setup servers-packages ## PostgreSQL and RabbitMQ of your own until Ctrl-C (NODES=3: a cluster)
	@$(PY) -m broker.standins.servers --nodes $(NODES)

test: setup servers-packages ## all tests but the slow ones; says what was skipped and why
	@$(PYTEST) -m "not slow"

test-all: setup servers-packages ## all tests
	@$(PYTEST)

check: setup ## format, lint, types, shape of the house, configuration
	@$(VENV)/bin/ruff format --check $(CODE)
	@$(VENV)/bin/ruff check $(CODE)
	@$(VENV)/bin/mypy
	@$(PY) -m pytest -q tests/test_architecture.py
	@$(BROKER) check

lock: setup ## choose versions anew, with hashes, for every platform: requirements.lock, site.lock
	@$(LOCK) --upgrade --extra dev -o requirements.lock
	@$(LOCK) --constraint requirements.lock -o site.lock
	@if grep -nE '://' requirements.lock site.lock; then echo "a lock file names a host" >&2; exit 1; fi
	@$(MAKE) --no-print-directory setup

attacks: setup servers-packages ## the attack suite alone, with its table of times and memory
	@$(PYTEST) -q tests/attacks

fuzz: setup ## other examples than the tests try, for MINUTES=20
	@$(PY) -m tests.attacks.fuzz $(MINUTES)

bench: setup ## the product against the limits of its parts, in one run
	@$(PY) -m benchmarks

docs: setup ## write docs/reference/ anew from the code
	@$(BROKER) docs

soak: setup ## mixed load, faults and kills for MINUTES=20 from SEED=1, then all sums
	@$(PY) -m tests.soak --minutes $(MINUTES) --seed $(SEED)

release: setup ## wheel, source, SBOM, checksums, signature in dist/ (KEY=… or UNSIGNED=1)
	@rm -rf dist
	@$(PY) tools/release.py dist $(if $(UNSIGNED),--unsigned,--key "$(KEY)")

audit: setup ## known weaknesses of the locked packages (STRICT=1: no network is an error)
	@$(PY) tools/audit.py $(if $(STRICT),--strict)

clean: ## remove what the targets made; asks for nothing, keeps var/
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
