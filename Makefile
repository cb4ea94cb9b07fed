# Everything runs in .venv, which the first target that needs it sets up.

BIN := .venv/bin
# Passed on by `demo` and `bench`: make demo ARGS="--graph dream4-1"
ARGS ?=
# Test processes.
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo bench test test-slow test-gpu test-versions docs lint wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/demo.stamp  ## simulate, train, find edges and score them: a table, two pictures
	$(BIN)/gsnn-edges demo $(ARGS)

bench: .venv/test.stamp  ## time all of it beside bare products, naive code and peers: a table, JSON
	mkdir -p build
	$(PYTEST) -c tests/benchmarks/pytest.ini tests/benchmarks --benchmark-json build/bench.json $(ARGS)

# Test processes with two threads each would wait for one another.
test: export OMP_NUM_THREADS = 1

test: .venv/test.stamp  ## run the quick tests
	$(PYTEST) -n $(JOBS) --dist worksteal

test-slow: .venv/test.stamp  ## run the tests that take minutes
	$(PYTEST) -m 'slow and not gpu'

test-gpu: .venv/test.stamp  ## run the tests that need a CUDA device
	$(PYTEST) -m gpu

# Environments of other versions; TORCH=1 installs torch (gigabytes) on 3.12 and 3.13 too.
VENVS ?= $(or $(TMPDIR),/tmp)/gsnn-edges-versions
comma := ,
EXTRAS := fast,jax,frames,stats,store,files,plots,bench$(if $(TORCH),$(comma)torch)

test-versions:  ## run the quick tests on Python 3.12, 3.13, and with the lowest versions on 3.11
	mkdir -p $(VENVS)
	for python in 3.11 3.12 3.13; do \
		venv=$(VENVS)/$$python && python$$python -m venv $$venv || exit 1; \
		if [ $$python = 3.11 ]; then set -- --constraint tests/lowest.txt '.[$(EXTRAS),torch]'; \
		else set -- '.[$(EXTRAS)]' anndata; fi; \
		$$venv/bin/pip install --quiet "$$@" array-api-strict hypothesis polars pytest \
			pytest-xdist scikit-learn || exit 1; \
		$$venv/bin/python -m pytest -n $(JOBS) --dist worksteal || exit 1; \
	done

# Threads of the notebooks and of the tests would wait for one another; -E runs every notebook anew.
docs: export OMP_NUM_THREADS = 1

docs: .venv/dev.stamp  ## run all examples, and build the site in build/site
	$(PYTEST) -m docs tests/test_documentation.py
	rm -rf build/site
	$(BIN)/python -m sphinx --fail-on-warning --quiet -E -d build/doctrees docs build/site
	@echo 'The site is in build/site: open build/site/index.html'

# mypy looks for a package in one folder, and ours lies in two: it gets a folder of links.
lint: .venv/dev.stamp  ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	rm -rf build/typed && mkdir -p build/typed/gsnn_edges
	ln -s "$(CURDIR)"/src/gsnn_edges/* "$(CURDIR)/backends" build/typed/gsnn_edges
	$(BIN)/mypy

wheel: .venv/dev.stamp  ## build sdist and wheel, and try the wheel in new environments
	$(BIN)/python tests/wheel/check_wheel.py dist

clean:  ## remove all that make has made, .venv included
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src backends tests -name __pycache__ -prune -exec rm -rf {} +

# One stamp for each extra of pyproject.toml, so that a second run installs nothing.
.venv/%.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing gsnn-edges[$*] into .venv, once; this may take some minutes.'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[$*]'
	@touch $@

# A name on the path may be a stub that cannot run, so each is asked for its version.
$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		exec $$python -m venv .venv; \
	done; \
	echo 'gsnn-edges needs Python 3.11 or newer and found none.' >&2; \
	echo 'Install one, or name it: make PYTHON=/path/to/python3.11' >&2; \
	exit 1
