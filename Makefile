# Everything runs in .venv, which the first target that needs it sets up.
PYTHON ?= python3
VENV := .venv
# The programs that benchmarks/peers.py compares with are not a part of finews.
PEERS := .venv-peers
BIN := $(VENV)/bin
# Markers (pyproject.toml) of tests that need other programs or take long.
FAST_TESTS := not (browser or jekyll or postgresql or slow)
# Test processes share compiled tests, also where the environment forbids .pyc files.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

.PHONY: help demo test test-fast crash-test attack package-test fuzz bench lint format clean

help:  ## Show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/'

demo: $(VENV)/installed  ## Crawl the bundled sample site, without network, into output-demo/
	$(BIN)/finews demo

test: $(VENV)/installed-for-tests  ## Run all tests, file by file on every core
	$(PYTEST) -n auto --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/installed-for-tests  ## Run the tests that need no other program and finish fast (under a minute)
	$(PYTEST) -n logical --dist worksteal -m '$(FAST_TESTS)'

crash-test: $(VENV)/installed-for-tests  ## Kill 200 crawls, and let each write and each kind of read fail once (an hour)
	FINEWS_KILLS=200 FINEWS_EVERY=1 FINEWS_ROUNDS=20 $(BIN)/python -m pytest tests/crash

attack: $(VENV)/installed-for-tests  ## Attack a running finews serve with SQL, and print the result of each attack (two minutes)
	FINEWS_ATTACKS=all $(BIN)/python -m pytest tests/publish/web/test_attacks.py -q -s

package-test: $(VENV)/installed-for-tests  ## Build the wheel and the source package, and test both in empty environments (minutes)
	FINEWS_PACKAGE=1 $(BIN)/python -m pytest tests/package

fuzz: $(VENV)/installed-for-tests  ## Test each parser with FINEWS_FUZZ random inputs (20000), all injections, and any value in each column
	FINEWS_FUZZ=$${FINEWS_FUZZ:-20000} $(BIN)/python -m pytest tests/fuzz tests/injection/test_built_site.py -q -s
	FINEWS_FOREIGN=1 $(BIN)/python -m pytest tests/hostile/test_foreign_rows.py -q

bench: $(VENV)/installed-for-tests $(PEERS)/installed  ## Compare the cost of a crawl with a bare spider, the first script and other projects (minutes)
	export TMPDIR=$$(mktemp -d) && for name in crawl steps peers; do $(BIN)/python benchmarks/$$name.py || exit; done; rm -rf $$TMPDIR

lint: $(VENV)/installed-for-tests  ## Run the checks of CI that are not tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .
	$(BIN)/deptry . --extend-exclude '^(benchmarks|tests)/' --optional-dependencies-dev-groups test
	$(BIN)/codespell --dictionary=- --dictionary=.ci/codespell.txt . .ci/run
	$(BIN)/python -m pytest -q tests/test_prose.py

format: $(VENV)/installed-for-tests  ## Fix lint errors and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environments and caches; crawled folders stay
	rm -rf $(VENV) $(PEERS) *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "finews needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --editable '.[serve]'
	touch $@

$(VENV)/installed-for-tests: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/installed

$(PEERS)/installed: benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --requirement benchmarks/peers.txt
	touch $@
