# The whole set-up: `make demo` builds the first specialist, `make test` runs the tests. Both make their own venv.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test test-slow check bench clean

demo: $(VENV)/.installed
	$(BIN)/factory build specs/reranker.yaml

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/rerank_training.py
	$(BIN)/python benchmarks/completion_training.py
	$(BIN)/python benchmarks/preference_training.py
	$(BIN)/python benchmarks/answering.py
	$(BIN)/python benchmarks/whole_build.py

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .factory .mypy_cache .ruff_cache .pytest_cache
