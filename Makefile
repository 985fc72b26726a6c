# vfxgan on a machine with nothing but python3 and make: `make demo` renders, `make test` tests. `make help` lists all.
# Everything lives in .venv; the files named below inside it say what has been installed there.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test check blender trt-api bench wheel constraints clean install-strict install-plain
# A facility's PYTHONPATH would come before .venv.
unexport PYTHONPATH PYTHONHOME

PYTHON ?= python3
# Somebody who names a Python gets that one or an error; otherwise the newest that fits is searched for.
CANDIDATES := $(if $(filter file,$(origin PYTHON)),$(PYTHON) python3.13 python3.12 python3.11 python3.10,$(PYTHON))
FITS := import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet --constraint constraints.txt
# Only after the dev extra, which holds setuptools: 2 seconds, no network.
REINSTALL := $(PIP) install --quiet --no-deps --no-build-isolation --editable .

# Two files of tests at a time, in the order of their folders: training flushes the tiniest floats to zero for the rest
# of its process, and the tests of the colour maths must come before.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder

# What Nuke and Houdini have on their Python path.
HOST_PATHS := plugins/client:plugins/nuke:plugins/houdini/python

FRAMES := shot010/\#\#\#\#.exr

help:
	@echo 'make demo         render seeds 0-499 with the built-in generator to shot010/, contact sheet in shot010.png'
	@echo 'make test         install the rest (torch among it) and run all tests'
	@echo 'make check        what a change must pass: ruff, ruff format, mypy --strict, all tests'
	@echo 'make trt-api      fetch the bindings of TensorRT and CUDA that tests read the API from; part of test and check'
	@echo 'make blender      install Blender as a Python module (373 MB, Python 3.11) and let it composite our frames'
	@echo 'make bench        run benchmarks/ and print the figures'
	@echo 'make wheel        build dist/vfxgan-*.whl'
	@echo 'make constraints  resolve constraints.txt anew for Python 3.10 to 3.13 (needs uv)'
	@echo 'make clean        remove all that make made: .venv, build, caches, the demo frames'
	@echo 'PYTHON=python3.12 chooses the Python (3.10 to 3.13) that .venv is made with'

demo: .venv/with-render install-plain
	$(BIN)/vfxgan render --seeds 0-499 --out '$(FRAMES)'
	$(BIN)/vfxgan contact-sheet '$(FRAMES)' --to shot010.png
	@echo "frames:        $(CURDIR)/$(FRAMES)"
	@echo "contact sheet: $(CURDIR)/shot010.png"
	@echo "next:          source .venv/bin/activate; vfxgan --help"

test: .venv/with-all .venv/with-trt-api install-plain
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: .venv/with-all .venv/with-trt-api install-strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p vfxgan
	MYPYPATH=$(HOST_PATHS) $(BIN)/mypy --config-file= --strict -p vfxgan_client -p vfxgan_nuke -p vfxgan_houdini
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

# A real host that runs headless; bpy is built for one Python only. A test of `make test` skips without it.
BPY_PYTHON ?= python3.11
BPY := bpy==4.5.15

blender: .venv/with-all install-plain .venv-blender/with-bpy
	$(BIN)/python -m pytest tests/plugins/test_blender.py

.venv-blender/with-bpy:
	@$(BPY_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { echo \
		'vfxgan: $(BPY) is built for Python 3.11; name one: make blender BPY_PYTHON=/path/to/python3.11' >&2; exit 1; }
	$(BPY_PYTHON) -m venv .venv-blender
	.venv-blender/bin/python -m pip --disable-pip-version-check --no-input install --quiet $(BPY)
	@touch $@

# Without a network or gcc it says what is missing, and the tests that need it skip with that reason.
trt-api: .venv/made
	@$(BIN)/python tools/trt_api.py
	@touch .venv/with-trt-api

bench: .venv/with-all install-plain
	@for file in benchmarks/[!_]*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

wheel: .venv/made
	rm -rf build/lib build/bdist.*
	$(PIP) wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

# torch stays at the version whose CPU build the test machines have.
constraints: .venv/made
	@command -v uv >/dev/null || { echo 'make constraints needs uv: pip install uv' >&2; exit 1; }
	echo 'torch==2.13.0' | uv pip compile --quiet --universal --python-version 3.10 --all-extras --no-annotate \
		--no-header --constraint - --output-file .venv/resolved.txt pyproject.toml
	{ echo "# What every set-up of vfxgan installs, on Python 3.10 to 3.13: pip install -c constraints.txt '.[cpu]'"; \
	  echo "# Written by \`make constraints\`; edit pyproject.toml instead. Resolved $$(date +%Y-%m-%d)."; \
	  cat .venv/resolved.txt; } > constraints.txt
	rm .venv/resolved.txt

# .venv goes too: a strict editable install in it points into build/.
clean:
	rm -rf .venv .venv-blender build dist vfxgan.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis shot010 shot010.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/made:
	@for python in $(CANDIDATES); do \
	  if $$python -c '$(FITS)' 2>/dev/null; then \
	    echo "making .venv with $$($$python --version)"; \
	    rm -rf .venv && $$python -m venv .venv && touch $@ && exit 0; exit 1; \
	  fi; \
	done; \
	echo 'vfxgan: no Python 3.10 to 3.13 with venv among: $(CANDIDATES). Install one (Debian, Ubuntu: apt install python3-venv) or name it: make PYTHON=/path/to/python3' >&2; \
	exit 1

.venv/with-render: pyproject.toml constraints.txt | .venv/made
	@echo 'installing the render side (about 100 MB to download)'
	$(INSTALL) --editable '.[cpu]'
	@touch $@

.venv/with-all: pyproject.toml constraints.txt | .venv/made
	@echo 'installing everything, torch among it (minutes)'
	$(INSTALL) --editable '.[cpu,train,review,temporal,sign,opencue,dev]'
	@touch $@ .venv/with-render
	@rm -f .venv/is-strict

.venv/with-trt-api: tools/trt_api.py | .venv/made
	@echo 'fetching the bindings of TensorRT and CUDA, to test calls against (about 30 MB)'
	@$(BIN)/python tools/trt_api.py
	@touch $@

# mypy cannot see through the import hook of a plain editable install, but it can read a strict one's link tree.
# The tree is a picture of the files at this moment: it is made anew, never added to.
install-strict: .venv/with-all
	@rm -rf build/__editable__.*
	$(REINSTALL) --config-settings editable_mode=strict
	@touch .venv/is-strict

# Back to an install that sees new modules by itself, if the last one was strict.
install-plain: .venv/made
	@if [ -e .venv/is-strict ]; then $(REINSTALL) && rm -f .venv/is-strict && rm -rf build/__editable__.*; fi
