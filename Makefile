# Consort: every command below makes .venv first, where it is missing or out of date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: setup demo test check check-static up down bench format

setup: $(VENV)/.made sandbox

# Installed again when the list of packages changes; otherwise nothing here needs a network.
$(VENV)/.made: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; name one with PYTHON=...") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# bubblewrap keeps graded programs apart; without it they run as plain limited processes.
.PHONY: sandbox
sandbox:
	@if command -v bwrap >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  (apt-get install -y -qq bubblewrap || { apt-get update -qq && apt-get install -y -qq bubblewrap; }) >/dev/null 2>&1 \
	  || echo "bubblewrap could not be installed: programs are graded with process isolation"; \
	else echo "bubblewrap is missing: programs are graded with process isolation (apt-get install bubblewrap)"; fi

demo: setup
	$(BIN)/python flows/solve.py --dataset data/problems.jsonl --strategy codesim \
	  --model1 recorded:data/recorded/codesim/small.jsonl --model2 recorded:data/recorded/codesim/large.jsonl \
	  --assign.debugging 1,1,2 --workers 4 --cont no --output results/demo

# The tests of the sandbox, which wait for time limits, one after the other; beside them all others, three at a time.
SANDBOX := tests/sandbox tests/test_grading.py
test: setup
	@said=$$(mktemp); failed=0; \
	$(BIN)/python -m pytest $(SANDBOX) >$$said 2>&1 & sandbox=$$!; \
	trap "kill $$sandbox; rm -f $$said" INT TERM; \
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(SANDBOX:%=--ignore=%) || failed=1; \
	wait $$sandbox || failed=1; \
	cat $$said; rm -f $$said; \
	exit $$failed

check: check-static test

check-static: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m tests.benchmarks

up: setup
	$(BIN)/python -m blocks.server up

down:
	test ! -x $(BIN)/python || $(BIN)/python -m blocks.server down
