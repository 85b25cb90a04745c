# Each target works after a bare clone: it makes .venv and installs what it needs, once.
#   make app PYTHON=python3.12            with another Python
#   make test PYTEST_ARGS="-k tokenizer"  passed on to pytest
#   make app PIP_ARGS="--quiet"           passed on to pip install

PYTHON ?= python3
BIN := .venv/bin
PARALLEL := -n auto --maxprocesses 4 --dist loadfile
.DEFAULT_GOAL := help
.PHONY: help app notebooks notebooks-refresh html docs pictures test test-all faults lint wheel bench

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1: \2/p' Makefile

app: .venv/installed-app  ## open the app in the browser, on the bundled model
	$(BIN)/streamlit run app/main.py

notebooks: .venv/installed-notebooks  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks/00_tour.ipynb

notebooks-refresh: .venv/installed-all  ## run the notebooks and keep their outputs
	$(BIN)/python notebooks/refresh.py

html: .venv/installed-notebooks  ## the notebooks as web pages that need no network, in build/notebooks
	$(BIN)/python notebooks/pages.py

docs: .venv/installed-all  ## the reference of every module, as web pages that need no network, in build/docs
	$(BIN)/python docs/reference.py

pictures: .venv/installed-all  ## take the pictures of the READMEs anew, from the running app
	$(BIN)/python docs/pictures.py

test: .venv/installed-all  ## run every test but the long ones
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

test-all: .venv/installed-all  ## run every test; also the Chinese notebooks, all of them in JupyterLab, and the installed wheel
	GPT1VIZ_ALL=1 $(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

faults: .venv/installed-all  ## the fault suite with many more cases, some ten minutes; writes the table of docs/faults.md
	GPT1VIZ_FAULTS=1 $(BIN)/python -m pytest tests/faults $(PYTEST_ARGS)

lint: .venv/installed-all  ## code, docstrings, types and links: ruff, pyright, docs/links.py
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python docs/links.py
	$(BIN)/pyright --pythonpath $(BIN)/python

wheel: .venv/installed-all  ## the package as one file that pip installs anywhere, app and model included, in dist
	rm -rf build/lib build/bdist.*  # else files that are gone since the last time come along
	$(BIN)/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist .

bench: .venv/installed-peers  ## measure gpt1viz against its peers, in one run
	$(BIN)/python -m benchmarks

# One stamp per extra: pip runs again when the dependencies or their versions change, not otherwise.
.venv/installed-%: pyproject.toml setup.py constraints.txt | $(BIN)/pip
	$(BIN)/python -m pip install -e '.[$*]' -c constraints.txt $(PIP_ARGS)
	@touch $@

.venv/installed-peers: benchmarks/requirements.txt .venv/installed-all
	$(BIN)/python -m pip install --no-deps -r benchmarks/requirements.txt $(PIP_ARGS)
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo \
	  "gpt1viz runs on Python 3.11, 3.12 or 3.13, not on $$($(PYTHON) --version 2>&1): name one, as in make app PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
	  "$(PYTHON) cannot make virtual environments: install its venv module (Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	$(PYTHON) -m venv .venv
