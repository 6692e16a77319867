# Each target makes its own .venv if there is none.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test fuzz bench docs

demo: .venv/installed-plot
	$(BIN)/python benchmarks/transfer_halves.py --data digits --picture out/reconstructions.png

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 $(BIN)/pytest

fuzz: .venv/installed-test
	HYPOTHESIS_PROFILE=fuzz SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 $(BIN)/pytest tests/test_properties.py

bench: .venv/installed-plot .venv/installed-peers .venv/installed-dask .venv/installed-search
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/exchangeability.py
	$(BIN)/python benchmarks/wide_pvalue.py
	$(BIN)/python benchmarks/interval_coverage.py
	$(BIN)/python benchmarks/linear_peers.py
	$(BIN)/python benchmarks/linear_peers.py --case growth
	$(BIN)/python benchmarks/linear_scale.py
	$(BIN)/python benchmarks/kernel_peers.py
	$(BIN)/python benchmarks/training_overhead.py
	$(BIN)/python benchmarks/deep_defaults.py
	$(BIN)/python benchmarks/deep_defaults.py --mnist
	$(BIN)/python benchmarks/transfer_halves.py --data mnist --train 60000 --only LinearCCA
	$(BIN)/python benchmarks/transform_memory.py
	$(BIN)/python benchmarks/model_files.py
	$(BIN)/python benchmarks/crash.py
	$(BIN)/python benchmarks/search_speed.py
	$(BIN)/python benchmarks/missing_views.py
	$(BIN)/python benchmarks/retrieval.py
	$(BIN)/python benchmarks/retrieval.py --data emoji
	$(BIN)/python benchmarks/transfer_halves.py --data mnist
	$(BIN)/python benchmarks/mnist_halves_table.py --components 50 --correlation
	$(BIN)/python benchmarks/noisy_mnist.py

docs: .venv/installed-docs
	$(BIN)/sphinx-build -W docs docs/_build

.venv/installed-%: setup.cfg constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[$*]"
	touch $@
