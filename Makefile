# `make` lists what there is. Set-up is part of each target that needs it: see scripts/setup.
.DEFAULT_GOAL := help
.PHONY: help setup protos run test check format lint fuzz chaos simulation mutants bench load demo lock clean

VENV := .venv/bin
# More arguments for the program behind a target, as in `make test ARGS="tests/unit -k money"`.
ARGS ?=
# Test processes side by side; each starts a PostgreSQL of its own. A test file stays in one process;
# the slow ones begin first (tests/helpers/order.py).
JOBS ?= 2
# Another interpreter than the first python3 that is new enough: make run PYTHON=python3.12
export PYTHON
# gRPC's handlers for fork() abort processes that are started beside calls: see ledger_service/cli. Read before any module is.
export GRPC_ENABLE_FORK_SUPPORT := 0

help: ## list the targets
	@printf 'usage: make TARGET [ARGS="..."]\n\n'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

setup: ## prepare everything for development: .venv, packages, stubs
	@scripts/setup dev

protos: ## generate the Python stubs from protos/
	@rm -f .venv/.setup/stubs
	@scripts/setup run

run: ## set up what is missing and serve gRPC on 127.0.0.1:50051, REST on 127.0.0.1:8080
	@scripts/setup run
	@exec $(VENV)/ledger-service serve $(ARGS)

demo: ## run the marketplace demo against a service that is running
	@scripts/setup run
	@exec $(VENV)/ledger-service demo $(ARGS)

test: ## set up what is missing and run the whole suite
	@scripts/setup dev
	$(VENV)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: ## format, lint, types, layers, proto lint, lock files
	@scripts/setup dev
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/python -m mypy
	$(VENV)/lint-imports --cache-dir .cache/import-linter
	$(VENV)/buf lint protos
	$(VENV)/buf format --diff --exit-code protos --exclude-path protos/google
	@! grep -nE '://|^ *--(extra-)?(index|find)' requirements*.lock || { echo 'lock files carry no registry addresses' >&2; exit 1; }

check: lint ## what CI runs: lint, then test
	@$(MAKE) --no-print-directory test

format: ## format Python and protos, apply safe lint fixes
	@scripts/setup dev
	$(VENV)/ruff check --fix-only --quiet .
	$(VENV)/ruff format .
	$(VENV)/buf format --write protos --exclude-path protos/google

# Seconds that the readers of each of the eleven kinds of bank files are fuzzed: make fuzz SECONDS=600
fuzz: ## call every REST operation with generated requests, over 5,000 together; break bank files of each format
	@scripts/setup dev
	LEDGER_FUZZ_SECONDS=$(or $(SECONDS),60) $(VENV)/python -m pytest tests/property/test_statement_fuzz.py -s $(ARGS)
	LEDGER_FUZZ_EXAMPLES=60 $(VENV)/python -m pytest tests/contract/test_rest_schema.py --timeout 1200 -s $(ARGS)

# As many rounds as reach the gates; make chaos MINUTES=5 SEED=7. A round that fails says how to repeat it, and its logs
# are kept in .cache/chaos. The report is .cache/chaos.json too.
chaos: ## break the service on its real parts for half an hour: nothing may be lost, doubled or shown to a stranger
	@scripts/setup dev
	@scripts/install_porcupine
	@$(VENV)/python -m tests.chaos $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(ARGS)

# make simulation SCHEDULES=20000 ARGS="--first 7"; a schedule that fails says how to repeat it. .cache/simulation.json too.
simulation: ## half a million schedules of the committer on a virtual clock: ten to twenty minutes on two cores
	@scripts/setup dev
	@$(VENV)/python -m tests.simulation --schedules $(or $(SCHEDULES),500000) --json .cache/simulation.json $(ARGS)

# make mutants ARGS="'no lock' poison"
mutants: ## break the code on purpose, one thing at a time: a gate of chaos turns red each time
	@scripts/setup dev
	@$(VENV)/python -m tests.chaos.mutants $(ARGS)

# make bench ONLY=B1,U1 ROUNDS=3 SECONDS=2 WORKERS=2 DATA=/large/disk: see docs/performance.md
bench: ## measure the service beside its yardsticks, and judge the ratios
	@scripts/setup dev
	@scripts/install_ghz
	@exec $(VENV)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(DATA),--data '$(DATA)') $(ARGS)

# make load ONLY=unary,mixed SECONDS=30; LEDGER_TARGET and LEDGER_TOKEN say where
load: ## load a service that is running with ghz: unary, hot account, stream, mixed read and write
	@scripts/setup dev
	@scripts/install_ghz
	@$(VENV)/python -m bench.load_running $(if $(ONLY),--only $(ONLY)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

# requirements.lock        the service with a database of the operator's (the container image)
# requirements-local.lock  and the embedded PostgreSQL and the stub generator (make run)
# requirements-dev.lock    and the tools of make check
# Each is complete by itself, so that one pip call installs it; the versions agree because uv keeps those that the
# output file already has and the first file constrains the others.
LOCK = $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(ARGS) pyproject.toml
lock: ## resolve the lock files anew (make lock ARGS=--upgrade for newer versions)
	@scripts/setup dev
	$(LOCK) -o requirements.lock
	$(LOCK) -c requirements.lock --extra embedded --group build -o requirements-local.lock
	$(LOCK) -c requirements-local.lock --extra embedded --group dev -o requirements-dev.lock

clean: ## remove all that was generated, except data/ and the ledger of the bench (.cache/bench)
	if [ -d .cache ]; then find .cache -mindepth 1 -maxdepth 1 ! -name bench -exec rm -rf {} +; fi
	rm -rf .venv .hypothesis build clients/python/ledger ./*.egg-info clients/python/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
