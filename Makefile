# Everything runs in .venv, which the first target that needs it sets up.
PYTHON ?= python3
VENV := .venv
# What benchmarks/peers.py compares with is no part of finews.
PEERS := .venv-peers
BIN := $(VENV)/bin

.PHONY: help demo test crash-test attack package-test fuzz bench lint format clean

help:  ## What there is to do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/'

demo: $(VENV)/installed  ## Crawl the bundled sample site, without network, into output-demo/
	$(BIN)/finews demo

test: $(VENV)/installed-for-tests  ## All tests, file by file on every core
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

crash-test: $(VENV)/installed-for-tests  ## Kill 200 crawls, and fail or stop at every single write, and kind of read (an hour)
	FINEWS_KILLS=200 FINEWS_EVERY=1 FINEWS_ROUNDS=20 $(BIN)/python -m pytest tests/crash

attack: $(VENV)/installed-for-tests  ## Attack a running finews serve with SQL, and print what each attack got (two minutes)
	FINEWS_ATTACKS=all $(BIN)/python -m pytest tests/publish/web/test_attacks.py -q -s

package-test: $(VENV)/installed-for-tests  ## Build wheel and source package, and use both in empty environments (minutes)
	FINEWS_PACKAGE=1 $(BIN)/python -m pytest tests/package

fuzz: $(VENV)/installed-for-tests  ## Every parser with FINEWS_FUZZ inputs each (20000), any value in any column of news.db
	FINEWS_FUZZ=$${FINEWS_FUZZ:-20000} $(BIN)/python -m pytest tests/fuzz -q -s
	FINEWS_FOREIGN=1 $(BIN)/python -m pytest tests/hostile/test_foreign_rows.py -q

bench: $(VENV)/installed-for-tests $(PEERS)/installed  ## What a crawl costs against a bare spider, the first script and other projects (minutes)
	export TMPDIR=$$(mktemp -d) && for name in crawl steps peers; do $(BIN)/python benchmarks/$$name.py || exit; done; rm -rf $$TMPDIR

lint: $(VENV)/installed-for-tests  ## What CI checks beside the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/installed-for-tests  ## Put the code into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove what the targets above have made, but never what was crawled
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
