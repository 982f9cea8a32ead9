# Everything a person does with this repository. A fresh machine needs python3 >= 3.11, make and git; the rest is fetched,
# locked by version and hash, into .venv. `make` alone lists the targets.

PYTHON ?= python3
PYTEST ?= .venv/bin/python -m pytest
ARGS   ?=
# Tests run side by side: they wait as often as they work. WORKERS=0 runs them one after another, in this process.
WORKERS ?= $(shell expr 2 \* $$(nproc))

export PYTHON
# Hundreds of processes import the same files: without bytecode each one compiles them.
unexport PYTHONDONTWRITEBYTECODE

# Tests run in a network that leads nowhere, and a first image wants mirrors: it is made before them, by who can.
image_ahead := [ "$$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null || .ci/image >/dev/null

code := $(wildcard resolver webhook charts tests benchmarks packaging)

compiled       := $(CURDIR)/build/compiled
compiled_tests ?= tests/scenarios/test_scenarios.py tests/unit/message tests/unit/cache tests/unit/test_engine.py tests/unit/test_engine_always.py \
                  tests/unit/test_ready_replies.py tests/integration/test_lookups.py tests/integration/test_handover.py tests/integration/test_tls.py

.DEFAULT_GOAL := help
.PHONY: help run test e2e check compiled bench image restarts faults soak pictures fresh docs fuzz lint format coverage lock clean run-venv dev-venv

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: run-venv ## start the resolver in front of an imagined cluster on loopback: no root, no network
	@.venv/bin/python -m resolver --demo $(ARGS)

test: dev-venv ## all tests that need only Python packages and Debian's servers (ARGS="-k stale" to choose)
	$(PYTEST) -n $(WORKERS) -m "not e2e" $(ARGS)

e2e: dev-venv ## tests against what is built with Go: the real CoreDNS, Go's resolver
	@.venv/bin/python -m tests.servers
	@$(image_ahead)
	$(PYTEST) -n $(WORKERS) -m e2e $(ARGS)

check: dev-venv ## both in one run, which takes less time than one after the other
	@.venv/bin/python -m tests.servers
	@$(image_ahead)
	$(PYTEST) -n $(WORKERS) $(ARGS)

compiled: dev-venv ## the tests of packets, stories and whole processes again, on the compiled modules (setup.py)
	@folder=$$(.ci/compiled) && rm -rf $(compiled) && mkdir -p build && cp -r "$$folder" $(compiled)
	@NODELOCALDNS_COMPILED=$(compiled) PYTHONSAFEPATH=1 PYTHONPATH=$(compiled):$(CURDIR) \
	$(PYTEST) -n $(WORKERS) -o "pythonpath=$(compiled) ." -m "not e2e" $(ARGS) $(compiled_tests)

bench: dev-venv ## beside other DNS caches: CPU, latency, memory, start; 25 minutes (ARGS="--short": 3)
	.venv/bin/python -m benchmarks $(ARGS)

image: ## the image as files: the Dockerfile's steps in a root of their own, twice, and compared; as root
	@.ci/image

restarts: dev-venv ## what upgrades, reloads and deaths cost the pods of a busy node, beside NodeLocal DNSCache; 14 minutes, as root
	.venv/bin/python -m benchmarks.restarts $(ARGS)

faults: dev-venv ## what faults of the cluster's DNS cost the pods of a node, beside NodeLocal DNSCache; 12 minutes, as root
	.venv/bin/python -m benchmarks.faults $(ARGS)

soak: dev-venv ## mixed load with faults, answers held against the truth and counters against the clients', an hour, as root
	.venv/bin/python -m tests.soak $(ARGS)

pictures: dev-venv ## screenshots and terminals in docs/assets, made anew; look at them in build/pictures
	@.venv/bin/python -m tests.lab.pictures $(ARGS)

fresh: ## README's two commands in a clean Debian with python3, make and git; as root
	@.ci/fresh $(ARGS)

docs: dev-venv ## the documentation as a site in build/site/html, with every link and anchor checked
	@.ci/venv docs
	@.venv/bin/python packaging/site.py
	@.venv/bin/zensical build --clean --strict

fuzz: dev-venv ## every door for untrusted bytes, 10 minutes each; ARGS="--seconds 60 answer" to choose
	@.venv/bin/python -m tests.fuzz --jobs $$(nproc) $(ARGS)

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
