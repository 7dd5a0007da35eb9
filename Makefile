# Everything runs in .venv, which `make env` builds; PYTHON names the interpreter it is built with.
PYTHON ?= python3
# Versions that are known to work together; empty: the newest.
CONSTRAINTS ?= constraints.txt
VENV := .venv
# Processes that run tests; many of these wait for others most of the time.
WORKERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --progress-bar off

# A sourced ROS 2 installation must not mix with the wheels in .venv.
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help env demo test docs clean distclean

help:
	@echo "make env        build $(VENV) with meanfleet, ROS 2 and the development tools"
	@echo "make demo       the whole story on this machine: ARGS='…' is passed to 'meanfleet demo'"
	@echo "make test       ruff, mypy and pytest"
	@echo "make docs       the pages of docs/ as HTML in out/docs"
	@echo "make clean      remove builds, caches and out/"
	@echo "make distclean  clean, and remove $(VENV)"

env: $(STAMP)
	@:

$(STAMP): setup.py setup.cfg pyproject.toml package.xml $(CONSTRAINTS)
	@echo "env: $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@echo "env: installing meanfleet, ROS 2 and the development tools (minutes the first time)"
	@$(INSTALL) $(addprefix --constraint ,$(CONSTRAINTS)) --editable '.[ros,dev]' || { \
	    echo "env: the versions of $(CONSTRAINTS) cannot be had: taking the newest"; $(INSTALL) --editable '.[ros,dev]'; }
	@touch $@
	@echo "env: ready"

demo: env
	@$(BIN)/meanfleet demo $(ARGS)

test: env
	@echo "test: ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@echo "test: mypy"
	@$(BIN)/mypy
	@echo "test: pytest"
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

docs: env
	@$(BIN)/sphinx-build -W -n --keep-going -q -b html -d out/doctrees docs out/docs
	@echo "docs: out/docs/index.html"

clean:
	@rm -rf build install log dist out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name $(VENV) -prune -o -name .git -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean
	@rm -rf $(VENV)
