# SPDX-License-Identifier: EUPL-1.2
# `make` alone lists what there is to do. Every target makes the environment that it needs.

VENV := .venv/bin
OUT ?= out
TESTS ?= tests
WORKERS ?= auto
COVERING := tests/crypto tests/attacks/test_hostile_envelopes.py tests/vault/test_lifecycle.py
PYTEST := $(VENV)/pytest -q -n $(WORKERS) --maxprocesses=8

.DEFAULT_GOAL := help
.PHONY: help setup runtime fix check test test-long coverage bench requirements vectors demo

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## environment with everything for development, in .venv
	@sh deploy/setup.sh requirements-dev.txt

runtime:
	@test -f .venv/.made-from-requirements-dev.txt || sh deploy/setup.sh requirements.txt

demo: runtime ## watch real bids being sealed, kept shut, opened, proved (OUT=dir: where its files go)
	@$(VENV)/bidvault demo --out "$(OUT)"

fix: setup ## format, and mend what the linter can mend
	$(VENV)/ruff format
	$(VENV)/ruff check --fix

check: setup ## lint, format, types, imports, rules of the house
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/lint-imports --no-cache
	$(VENV)/pytest -q -p no:randomly tests/rules

test: setup ## every test but the long ones, on the real embedded stack
	$(PYTEST) -m "not long" $(TESTS)

test-long: setup ## the long tests too; their figures in docs/reference/reliability.md
	BIDVAULT_FIGURES=$(CURDIR)/.figures $(PYTEST) $(TESTS)
	$(VENV)/python -m tests.figures .figures
	$(VENV)/python -m tests.rules.requirements

coverage: setup ## what must be run by its tests to the last branch: crypto/ and vault/lifecycle.py
	$(VENV)/coverage run -m pytest -q -p no:randomly -m "not long" $(COVERING)
	$(VENV)/coverage report

bench: setup ## what it costs beside others doing the same; figures in bench/results.json and the performance page
	$(VENV)/python -m bench

requirements: setup ## write the generated pages of docs/reference, and deploy/openapi.json
	$(VENV)/python -m tests.api.openapi_file
	$(VENV)/python -m tests.rules.requirements

vectors: setup ## the protocol's vectors and those of others, alone
	$(VENV)/pytest -q tests/vectors
