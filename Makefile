# Every command prints what it does; `make help` lists them.
PYTHON ?= python3
VENV   := .venv
TOX    := $(VENV)/bin/tox
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help test kind variants live faults proof collect report up down bench packages clean

help: ## list the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: requirements/tox.txt
	@echo "sixproof: making $(VENV) (tox, pinned by hash)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is " + sys.version)'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tox.txt
	@touch $@

packages: ## install the Debian packages that the namespace tests use (root, apt)
	@sh tests/packages.sh

test: $(VENV)/.ready packages ## the harness's own tests; no cluster needed (ARGS="-k ..." is handed to pytest)
	@$(TOX) run -q -e test -- $(ARGS)

kind: $(VENV)/.ready ## bring the test bed up, run the suites on it, write reports/latest
	@$(TOX) run -q -e kind -- $(ARGS)

variants: $(VENV)/.ready ## bring up each variant of the bed, run the suites on it, take it down (ARGS="--only bgp,rr")
	@$(TOX) exec -q -e kind -- python -m testbed variants $(ARGS)

live: $(VENV)/.ready ## run the suites on the cluster of your kubeconfig (ARGS="--six-context NAME")
	@$(TOX) run -q -e live -- $(ARGS)

faults: $(VENV)/.ready ## break the test bed on purpose and check what is reported
	@$(TOX) run -q -e faults -- $(ARGS)

proof: $(VENV)/.ready ## the same, with results kept in reports/proof.jsonl and a table at the end; goes on where it was (ARGS="--proof-sample 4"; ARGS=--keep: into docs/)
	@$(TOX) run -q -e proof -- $(ARGS)

bench: $(VENV)/.ready ## measure speed and memory on the test bed
	@$(TOX) run -q -e bench -- $(ARGS)

collect: $(VENV)/.ready ## list every live test; no cluster needed
	@$(TOX) exec -q -e kind -- python -m pytest suites --collect-only -q $(ARGS)

report: $(VENV)/.ready ## render reports/latest again (Allure 3, needs Node)
	@$(TOX) exec -q -e kind -- python -m sixproof.reporting.allure.render --if-possible --history reports/history.jsonl reports/latest/allure-results reports/latest/allure.html

up: $(VENV)/.ready ## bring the test bed up and leave it there
	@$(TOX) exec -q -e kind -- python -m testbed up

down: $(VENV)/.ready ## remove the test bed and its Docker engine; caches stay
	@$(TOX) exec -q -e kind -- python -m testbed down --all

clean: ## remove virtual environments and generated reports; the bed's caches stay
	@rm -rf $(VENV) .tox reports/latest reports/runs reports/again .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
