# make demo: make scenes, sample clips, score them, draw demo/sheet.png.   make test: the test suite.
# Needs Python 3.10 to 3.12 and git; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install --quiet --python .venv

.PHONY: demo test test-gpu test-mmdet lock clean

demo: .venv/installed
	$(BIN)/savg run --preset laptop --n 8 --out demo --cache demo/cache

# pytest-xdist waits for ever when a test has crashed several of its processes.
test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup --max-worker-restart 0

# On a machine with a GPU.
test-gpu: .venv/installed
	$(BIN)/python -m pytest -m gpu

# mmcv is compiled here: 10 minutes on two cores.
test-mmdet: .venv/installed
	$(INSTALL) "setuptools<81" wheel ninja psutil
	MMCV_WITH_OPS=1 FORCE_CUDA=0 CUDA_VISIBLE_DEVICES= $(INSTALL) --no-build-isolation-package mmcv -r requirements-mmdet.lock -e .
	$(BIN)/python -m pytest -m mmdet

# The lock files, after a change of pyproject.toml.
lock: .venv/installed
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 --no-emit-index-url --no-header -q -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra mmdet --universal --python-version 3.10 --no-emit-index-url --no-header -q -o requirements-mmdet.lock

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(INSTALL) --compile-bytecode -r requirements.lock -e .
	touch $@

clean:
	rm -rf .venv demo out
