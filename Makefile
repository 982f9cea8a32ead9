# Everything a person does with this repository. A fresh machine needs python3 >= 3.11, make and git; the rest is fetched,
# locked by version and hash, into .venv. `make` alone lists the targets.

PYTHON ?= python3
PYTEST ?= .venv/bin/python -m pytest
ARGS   ?=

export PYTHON

code := $(wildcard resolver webhook tests benchmarks)

compiled       := $(CURDIR)/build/compiled
compiled_tests ?= tests/scenarios tests/unit/message tests/unit/cache tests/unit/test_engine.py tests/integration/test_lookups.py \
                  tests/integration/test_handover.py tests/integration/test_tls.py

.DEFAULT_GOAL := help
.PHONY: help run test e2e compiled bench restarts lint format coverage lock clean run-venv dev-venv

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: run-venv ## start the resolver in front of an imagined cluster on loopback: no root, no network
	@.venv/bin/python -m resolver --demo $(ARGS)

test: dev-venv ## all tests that need only Python packages and Debian's servers (ARGS="-k stale" to choose)
	$(PYTEST) -m "not e2e" $(ARGS)

e2e: dev-venv ## tests against what is built with Go: the real CoreDNS, Go's resolver
	@.venv/bin/python -m tests.servers
	$(PYTEST) -m e2e $(ARGS)

compiled: dev-venv ## the tests of packets, stories and whole processes again, on the compiled modules (setup.py)
	@folder=$$(.ci/compiled) && rm -rf $(compiled) && mkdir -p build && cp -r "$$folder" $(compiled)
	@NODELOCALDNS_COMPILED=$(compiled) PYTHONSAFEPATH=1 PYTHONPATH=$(compiled):$(CURDIR) \
	$(PYTEST) -o "pythonpath=$(compiled) ." -m "not e2e" $(ARGS) $(compiled_tests)

bench: dev-venv ## beside other DNS caches: CPU, latency, memory, start; 25 minutes (ARGS="--short": 3)
	.venv/bin/python -m benchmarks $(ARGS)

restarts: dev-venv ## what upgrades, reloads and deaths cost the pods of a busy node, beside NodeLocal DNSCache; 7 minutes, as root
	.venv/bin/python -m benchmarks.restarts $(ARGS)

lint: dev-venv ## style, types, import directions
	.venv/bin/ruff check $(code)
	.venv/bin/ruff format --check $(code)
	.venv/bin/mypy $(code)
	.venv/bin/lint-imports

format: dev-venv ## let ruff lay out the code and fix what it can
	.venv/bin/ruff check --fix $(code)
	.venv/bin/ruff format $(code)

coverage: dev-venv ## one report over all test runs that were measured (.ci/run measures)
	@.venv/bin/coverage combine --quiet
	@.venv/bin/coverage report

lock: dev-venv ## compile the locks anew (UPGRADE=1 moves versions)
	.ci/lock

clean: ## remove what make made, the caches outside the repository excepted
	rm -rf .venv .coverage .coverage.* htmlcov dist build .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find $(code) -type d -name __pycache__ -prune -exec rm -rf {} +

run-venv:
	@.ci/venv run

dev-venv:
	@.ci/venv dev
