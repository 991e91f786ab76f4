# Works from a fresh clone with Python 3.10 or newer and make; the rest is installed on demand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Processes that share the tests, file by file: a number, or auto for one a core.
WORKERS ?= auto
# How many changed cookies the campaign sends, and where its draw begins.
MUTATIONS ?= 100000
SEED ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test coverage screenshots campaign check format clean

help:
	@echo "make demo      start a bank and a local Auth0 tenant to try the step-up with"
	@echo "make test      run every test"
	@echo "make check     check style, types and imports, and build the documentation"
	@echo "make coverage  run every test and report branch coverage"
	@echo "make screenshots  write a picture of every page into screenshots/"
	@echo "make campaign  the long draws: 100 000 changed cookies (MUTATIONS, SEED), tabs, parallel requests"
	@echo "make format    format the code"
	@echo "make clean     remove everything that was generated here"

demo: $(VENV)/.installed-demo
	@$(BIN)/python -u -m examples.bank.demo

test: $(VENV)/.installed-dev
	@$(PYTHON) tools/system_programs.py tests
	$(BIN)/python -m pytest -p tools.pytest_programs -n $(WORKERS) --dist loadfile

coverage: $(VENV)/.installed-dev
	@$(PYTHON) tools/system_programs.py tests
	$(BIN)/python -m pytest -p tools.pytest_programs --cov

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sphinx-build -n -W --keep-going -q docs docs/_build

screenshots: $(VENV)/.installed-dev
	@$(PYTHON) tools/system_programs.py tests
	$(BIN)/python -m pytest -q tests/browser/screenshots.py --into screenshots

campaign: $(VENV)/.installed-dev
	CAMPAIGN=1 TABS_RUNS=1500 COOKIE_MUTATIONS=$(MUTATIONS) COOKIE_SEED=$(SEED) $(BIN)/python -m pytest \
		tests/test_mutated_cookies.py tests/test_tabs_machine.py tests/test_parallel.py

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) build dist *.egg-info docs/_build htmlcov .coverage
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# pip comes last into a new environment: where it is missing, the creation was interrupted.
$(BIN)/pip:
	@$(PYTHON) tools/system_programs.py python
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml | $(BIN)/pip
	@echo "Installing flask-auth0-mfa into $(VENV) ..."
	@$(BIN)/pip install -qq --editable '.[emulator]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	@echo "Installing flask-auth0-mfa and its development tools into $(VENV) ..."
	@$(BIN)/pip install -qq --editable '.[dev]'
	@touch $@
