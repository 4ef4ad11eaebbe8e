# `make demo` and `make test` need Python >= 3.11, git and make, and nothing else.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python3.14; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

.PHONY: demo test faults lint types check bench gpu-check fuzz pins audit sbom licences clean

demo: $(VENV)/.demo
	$(BIN)/srqueue demo

# In the order of the folders: the demo and the fault tests, which take longest, are not left to the end.
test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

faults: $(VENV)/.test
	$(BIN)/python -m pytest tests/faults

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.test
	$(BIN)/mypy

check: lint types test

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

# On a machine with a GPU, with whatever Python holds its torch:  make gpu-check GPU_PYTHON=python3 DATA=FOLDER
# DATA holds train/ and test/{Set5,Set14,B100}/; without it the paper's presets are not run in full.
GPU_PYTHON ?= $(BIN)/python
DATA ?=
gpu-check:
	$(GPU_PYTHON) -m pytest -m gpu tests/gpu
	$(GPU_PYTHON) -m benchmarks.exact_resume --device cuda
	$(GPU_PYTHON) -m srqueue.cli verify-resume --device cuda --arch paragonsr2_nano
	$(GPU_PYTHON) -m benchmarks.exactness --device cuda
	$(GPU_PYTHON) -m benchmarks.gpu
	$(GPU_PYTHON) -m benchmarks.slots --device cuda --slots 3 --iterations 5000
	@if [ "$$($(GPU_PYTHON) -c 'import torch; print(torch.cuda.device_count())')" -gt 1 ]; then $(GPU_PYTHON) -m benchmarks.team --device cuda; \
	else echo "one GPU: how well several share a job was not measured"; fi
	@if [ -n "$(DATA)" ]; then $(GPU_PYTHON) -m benchmarks.validation --device cuda --arch compact paragonsr2_nano --data "$(DATA)" && \
	$(GPU_PYTHON) -m benchmarks.paper --data "$(DATA)"; \
	else echo "no DATA given: the paper's presets were not run (python -m benchmarks.paper --help)"; fi

# Looks long at what reads bytes of others. What it finds: into tests/fuzz/corpus/<target>/, and mended.
FUZZ_EXAMPLES ?= 5000
fuzz: $(VENV)/.test
	FUZZ=long FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest tests/fuzz --timeout 0

# The supply chain, with tools in an environment of their own.
TOOLS := $(VENV)-tools
PINNED := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

pins: $(TOOLS)/.done
	$(TOOLS)/bin/uv pip compile $(PINNED) -c constraints.txt pyproject.toml -o deploy/requirements-producer.txt \
	  --extra monitor --extra notices --extra report --extra remote
	$(TOOLS)/bin/uv pip compile $(PINNED) -c constraints.txt pyproject.toml -o deploy/requirements-worker.txt \
	  --extra worker --extra notices --extra search --extra tensorboard --extra onnx --extra archs --extra remote
	$(TOOLS)/bin/uv pip compile $(PINNED) deploy/requirements-tools.in -o deploy/requirements-tools.txt

# Asks the advisory service of PyPI; a package of which it knows nothing is an error.
audit: $(TOOLS)/.done
	for one in producer worker; do \
	  $(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r deploy/requirements-$$one.txt || exit 1; done

sbom: $(TOOLS)/.done
	mkdir -p dist
	for one in producer worker; do $(TOOLS)/bin/cyclonedx-py requirements deploy/requirements-$$one.txt \
	  --output-reproducible -o dist/sbom-$$one.json || exit 1; done

licences: $(TOOLS)/.done $(VENV)/.test
	{ printf '# Licences\n\nOf what the images install, as each package tells it (`make licences`). Not here: what comes with the CUDA build of\n'; \
	printf 'torch (NVIDIA, Triton), with other systems or Pythons, and the extra `archs` (spandrel: MIT, torchvision and einops: BSD, MIT).\n\n'; \
	$(TOOLS)/bin/pip-licenses --python $(BIN)/python --format markdown --packages \
	  $$(sed -n 's/^\([A-Za-z0-9_.-]*\)==.*/\1/p' deploy/requirements-producer.txt deploy/requirements-worker.txt | sort -u); \
	} > deploy/LICENCES.md

$(TOOLS)/.done: deploy/requirements-tools.txt
	@test -n "$(PYTHON)" || { echo "error: Python >= 3.11 is not on PATH"; exit 2; }
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install -q --require-hashes -r deploy/requirements-tools.txt
	@touch $@

clean:
	rm -rf $(VENV) $(TOOLS) build dist

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: Python >= 3.11 is not on PATH"; echo "  hint: install it, or make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.demo
