# Works from a fresh clone with Python 3.10 or newer and make; the rest is installed on demand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Node.js and npm of the development tools, where the system has none of its own.
export PATH := $(PATH):$(CURDIR)/$(BIN)
# Processes that share the tests, file by file: one more than cores, as tests also wait.
WORKERS ?= $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)")
# How many changed cookies the campaign sends, and where its draw begins.
MUTATIONS ?= 100000
SEED ?= 2

# pytest rewrites every test before it runs it; once, and not once a process, where it may keep it.
export PYTHONDONTWRITEBYTECODE :=

# What a fresh clone needs, the system's programs and Python's packages, is installed side by side.
MAKEFLAGS += --jobs=2

.DEFAULT_GOAL := help
.PHONY: programs
.PHONY: help demo test coverage docs screenshots pages campaign texts check format clean

help:
	@echo "make demo      start a bank and a local Auth0 tenant to try the step-up with"
	@echo "make test      run every test"
	@echo "make check     check style, types and imports, and build the documentation"
	@echo "make docs      build the documentation, follow its links, and run its snippets"
	@echo "make coverage  run every test and report branch coverage"
	@echo "make screenshots  write a picture of every page into docs/_static/pages"
	@echo "make pages     look at every page in every state: axe-core, Lighthouse, valid HTML, weight"
	@echo "make campaign  the long draws: 100 000 changed cookies (MUTATIONS, SEED), tabs, parallel requests"
	@echo "make texts     bring the catalogues up to date: finds the texts, updates, compiles"
	@echo "make soak      the bank with 50 users for five minutes while everything fails"
	@echo "make bench     measure the speed, beside what else there is, and write docs/performance.rst"
	@echo "make mutants   change the code in small ways, and see which tests notice"
	@echo "make format    format the code"
	@echo "make clean     remove everything that was generated here"

define BUILD_DOCS
$(BIN)/sphinx-build -n -W --keep-going -q docs docs/_build
	$(BIN)/python -m tools.docs_links docs/_build README.md CHANGELOG.md $(wildcard examples/*/README.md)
endef
# The tests that run what the pages show; each page names those that need more than a page alone.
SNIPPETS := tests/test_docs.py tests/test_quickstart.py \
	$(addprefix tests/,test_action.py::test_action_of_the_page test_action.py::TestClaims test_cli.py::test_table_of_the_page \
		test_doctor.py::test_sample_of_the_page test_doctor.py::test_forgotten_steps_of_the_page \
		test_i18n.py::test_catalogues_of_the_page test_examples.py::TestDemo \
		test_example_own_login.py::test_program test_example_pico.py::test_program \
		test_example_spa.py::test_program test_remember.py::TestAction::test_remembered)

demo: $(VENV)/.installed-demo
	@$(BIN)/python -u -m examples.bank.demo

test: $(VENV)/.installed-dev programs
	$(BIN)/python -m pytest -p tools.pytest_programs -n $(WORKERS) --dist loadfile

coverage: $(VENV)/.installed-dev programs
	$(BIN)/python -m pytest -p tools.pytest_programs --cov

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -r flask_auth0_mfa
	$(BUILD_DOCS)

docs: $(VENV)/.installed-dev programs
	$(BIN)/python -m tools.diagrams
	$(BUILD_DOCS)
	$(BIN)/python -m pytest -q -p tools.pytest_programs $(SNIPPETS)

screenshots: $(VENV)/.installed-dev programs
	$(BIN)/python -m pytest -q tests/browser/screenshots.py --into docs/_static/pages

pages: $(VENV)/.installed-dev programs
	$(BIN)/python -m pytest -q tests/browser/audit.py

campaign: $(VENV)/.installed-dev
	CAMPAIGN=1 TABS_RUNS=1500 LATE_ANSWERS=2500 COOKIE_MUTATIONS=$(MUTATIONS) COOKIE_SEED=$(SEED) $(BIN)/python -m pytest \
		tests/test_mutated_cookies.py tests/test_tabs_machine.py tests/test_parallel.py \
		tests/test_late_answers.py tests/test_soak.py tests/browser/test_matrix.py
	CAMPAIGN=1 HYPOTHESIS_PROFILE=campaign AUTH0_ANSWERS=10000 RETURN_TARGETS=100000 RETURN_SEED=$(SEED) \
		$(BIN)/python -m pytest tests/test_attackers.py tests/browser/test_return_targets.py

TEXTS := flask_auth0_mfa/translations

# Without dates, line numbers and guesses, so that only what changed shows as changed.
texts: $(VENV)/.installed-dev
	$(BIN)/pybabel -q extract -F pyproject.toml -k marked --no-wrap --add-location=file \
		--sort-by-file --omit-header -o $(TEXTS)/auth0_mfa.pot flask_auth0_mfa
	$(BIN)/pybabel -q update -i $(TEXTS)/auth0_mfa.pot -d $(TEXTS) -D auth0_mfa --no-wrap \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	$(BIN)/pybabel compile -d $(TEXTS) -D auth0_mfa --statistics

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) build dist *.egg-info docs/_build htmlcov .coverage
	rm -rf mutants .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# pip comes last into a new environment: where it is missing, the creation was interrupted.
$(BIN)/pip:
	@$(PYTHON) tools/system_programs.py python
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)

# After the virtual environment, which may have to install something as well.
programs: | $(BIN)/pip
	@$(PYTHON) tools/system_programs.py tests

$(VENV)/.installed-demo: pyproject.toml | $(BIN)/pip
	@echo "Installing flask-auth0-mfa into $(VENV) ..."
	@$(BIN)/pip install -qq --editable '.[emulator]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	@echo "Installing flask-auth0-mfa and its development tools into $(VENV) ..."
	@$(BIN)/pip install -qq --editable '.[dev]'
	@touch $@

# -- long runs -------------------------------------------------------------------------------

# How long the soak runs, how many users it has, and where its draw begins.
SOAK_SECONDS ?= 300
SOAK_USERS ?= 50
SOAK_SEED ?= 1
# Which modules are mutated, by how their names begin: "limits flows/"; all of them otherwise. A
# module is given half an hour, or MUTANTS_SECONDS.
MUTANTS ?=

.PHONY: soak mutants bench

soak: $(VENV)/.installed-dev programs
	SOAK_SECONDS=$(SOAK_SECONDS) SOAK_USERS=$(SOAK_USERS) SOAK_SEED=$(SOAK_SEED) $(BIN)/python -m tests.soak

mutants: $(VENV)/.installed-mutants
	nice -n 19 $(BIN)/python -m tools.mutants $(MUTANTS)

# On a machine that does nothing else meanwhile; it takes some minutes.
bench: $(VENV)/.installed-bench programs
	PYTHONPATH=. $(BIN)/python -m tests.benchmarks

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	@$(BIN)/pip install -qq --editable '.[bench]'
	@touch $@

$(VENV)/.installed-mutants: $(VENV)/.installed-dev
	@$(BIN)/pip install -qq --editable '.[mutants]'
	@touch $@
