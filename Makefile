# Everything a developer or a pipeline calls. Each target sets up what it needs; nothing is left running but the cluster.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/zerotrust
VENV ?= $(CACHE)/venv
export VENV
# Further options for pytest, for instance: make unit ARGS='-k network -x'
ARGS ?=
RUN := $(VENV)/bin
CLUSTER_SH := tests/cluster/cluster.sh
IN_CLUSTER = environment=$$($(CLUSTER_SH) env); eval "$$environment"; export PATH="$(RUN):$$PATH";

.PHONY: help
help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

.PHONY: venv
venv: ## make the development environment, when it is missing or out of date
	@tests/cluster/venv.sh > /dev/null

.PHONY: demo
demo: images ## see it work: healthy passes, one policy opened on purpose fails, fixed it passes again
	@$(IN_CLUSTER) PYTHONPATH=. python tests/demo.py

.PHONY: test
test: lint images ## everything: lint, types, imports, then unit, operator and end-to-end tests in one run
	@$(IN_CLUSTER) pytest $(ARGS)

.PHONY: lint
lint: venv ## style, types and import contracts
	@$(RUN)/ruff check
	@$(RUN)/ruff format --check
	@$(RUN)/mypy
	@$(RUN)/lint-imports

.PHONY: format
format: venv ## let ruff put right what it can
	@$(RUN)/ruff check --fix --exit-zero
	@$(RUN)/ruff format

.PHONY: unit
unit: venv ## unit tests: no cluster needed
	@$(RUN)/pytest tests/unit $(ARGS)

.PHONY: e2e
e2e: images ## end-to-end tests on the real cluster
	@$(IN_CLUSTER) pytest tests/e2e $(ARGS)

MUTANTS ?= tests/mutants
SYSTEMS ?= tests/systems

.PHONY: mutants
mutants: images ## break healthy systems on purpose: every mutant of MUTANTS on SYSTEMS must be found, and nothing else
	@$(IN_CLUSTER) PYTHONPATH=. python -c 'from tests.harness.installation import install; install()'
	@$(IN_CLUSTER) PYTHONPATH=. python -m tests.mutants --mutants '$(MUTANTS)' --systems '$(SYSTEMS)' $(ARGS)

.PHONY: bench
bench: images ## how fast, how many, at what cost: a table, and .bench/latest.json
	@$(IN_CLUSTER) PYTHONPATH=. python -m tests.bench $(ARGS)

.PHONY: images
images: cluster-up ## build every image, and load into the cluster what is missing or changed
	@$(RUN)/python tests/cluster/images.py

.PHONY: cluster-up
cluster-up: venv ## start the test cluster, or repair it (CLUSTER=current CONTEXT=... takes one of yours)
	@$(CLUSTER_SH) up

.PHONY: cluster-down
cluster-down: ## stop the test cluster and leave nothing of it behind
	@$(CLUSTER_SH) down

.PHONY: cluster-status
cluster-status: ## what of the test cluster runs
	@$(CLUSTER_SH) status

.PHONY: render
render: venv ## write all derived files again: CRD, chart copies, reference pages
	@$(RUN)/python -m zerotrust.render

LOCK = $(RUN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --system-certs --custom-compile-command 'make lock' $(LOCK_ARGS)

.PHONY: lock
lock: venv ## resolve pyproject.toml into requirements/*.txt (LOCK_ARGS=--upgrade takes newer indirect ones)
	@$(LOCK) pyproject.toml --output-file requirements/runtime.txt
	@$(LOCK) pyproject.toml --extra dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	@$(LOCK) --group operator --constraints requirements/runtime.txt --output-file requirements/operator.txt
	@$(LOCK) --group probe --constraints requirements/runtime.txt --output-file requirements/probe.txt
