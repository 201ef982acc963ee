# Everything happens in the virtual environment .venv, which is made with PYTHON (3.11 or newer):
#
#     make demo     quantize a real network on real data, and write demo-report/
#     make test     pass the tests
#     make docs     build the documentation into docs/_build/html and check its links
#     make lint     check style and types
#     make clean    remove all that was made
#
# ARGS is handed on: make demo ARGS="--seed 1", make test ARGS="tests/spec -x".

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# What the installed package depends on. Python files are used where they lie (editable install).
BUILT_FROM := pyproject.toml setup.py $(wildcard _kernels/*.pyx _kernels/*.pxd)

.PHONY: demo test docs lint clean
.DELETE_ON_ERROR:

demo: $(STAMPS)/demo
	$(BIN)/refquant demo --output demo-report $(ARGS)

test: $(STAMPS)/test
	$(BIN)/python -m pytest $(ARGS)

docs: $(STAMPS)/docs
	@$(MAKE) --no-print-directory $(STAMPS)/browser || \
	    echo "JupyterLite cannot be installed here: no page can be run in the browser."
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html
	$(BIN)/python docs/check_lite.py docs/_build/html

lint: $(STAMPS)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint _kernels
	$(BIN)/mypy
	$(BIN)/python tests/types/check.py

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "refquant needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

# The kernels are compiled once, here, and not through pip, which would hide how far it is.
$(STAMPS)/kernels: $(STAMPS)/venv $(BUILT_FROM)
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > $(STAMPS)/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement $(STAMPS)/requirements.txt
	$(BIN)/python setup.py --quiet build_ext --inplace
	REFQUANT_KEEP_KERNELS=1 $(BIN)/python -m pip install --quiet --no-build-isolation --editable .
	@touch $@

# One stamp for each extra, which installs what it adds: a second run installs nothing.
$(STAMPS)/%: $(STAMPS)/kernels
	$(BIN)/python -m pip install --quiet "refquant[$*]"
	@touch $@

clean:
	rm -rf $(VENV) build demo-report docs/_build docs/_contents docs/generated docs/tutorials *.egg-info
	rm -f _kernels/*.so
