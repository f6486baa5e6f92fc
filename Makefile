# Every command of the project. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
MINUTES ?= 5
unexport PYTHONDONTWRITEBYTECODE # tests start hundreds of processes; without bytecode each compiles torch and ganvas anew

.PHONY: help setup demo test check slow docs site format clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## make .venv and install ganvas with its developer tools

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ganvas needs Python 3.11 or newer (found: $$($(PYTHON) --version)). Name one: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: $(STAMP) ## train the default method on real digits for about five minutes, and show where everything is
	$(BIN)/ganvas train --data digits --minutes $(MINUTES)

test: $(STAMP) ## the whole default test suite, on up to four cores
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

check: $(STAMP) ## format, lint, types, stale docs, the documentation site
	$(BIN)/ruff format --check src tests tools examples benchmarks
	$(BIN)/ruff check src tests tools examples benchmarks
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python tools/make_docs.py --check
	$(BIN)/zensical build --strict

format: $(STAMP) ## rewrite the layout of the code
	$(BIN)/ruff format src tests tools examples benchmarks
	$(BIN)/ruff check --fix src tests tools examples benchmarks

docs: $(STAMP) ## write the generated pages again
	$(BIN)/python tools/make_docs.py

site: $(STAMP) ## build the documentation into site/, without network; a broken link is an error
	$(BIN)/zensical build --strict

slow: $(STAMP) ## long trainings and searches; their results go to docs/experiments.md
	$(BIN)/python -m pytest -m slow -s tests/slow tests/studio/test_browser.py

clean: ## remove what setup and builds made
	rm -rf $(VENV) build dist site src/*.egg-info .pytest_cache .ruff_cache
