# Each target makes its own .venv if there is none.
PYTHON ?= python3
BIN := .venv/bin
# The oldest Python of pyproject.toml, where there is one.
OLDEST_PYTHON ?= $(or $(shell command -v python3.11),$(PYTHON))
LOWEST := .venv-lowest
TORCH := $(shell grep '^torch==' constraints.txt)
# pip would compile every module, which takes time and space. Python compiles those that are
# imported, and keeps them.
PIP_INSTALL := $(BIN)/pip install --quiet --no-compile
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test fuzz test-lowest bench results docs linkcheck

demo: .venv/installed-plot
	$(BIN)/python benchmarks/transfer_halves.py --data digits --picture out/reconstructions.png

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/pyright -p tests/typing --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 $(BIN)/pytest

# New examples of properties, and thousands of edited files of models and of indexes.
fuzz: .venv/installed-test
	HYPOTHESIS_PROFILE=fuzz SKCRL_FUZZ=25 SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 \
		$(BIN)/pytest tests/test_properties.py tests/persistence/test_edited.py tests/retrieval/test_edited_files.py

# With the oldest releases that pyproject.toml allows, and that this Python has wheels of.
test-lowest: $(LOWEST)/installed
	SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 $(LOWEST)/bin/pytest

bench: .venv-old-peers/installed .venv/installed-plot .venv/installed-peers .venv/installed-dask .venv/installed-search
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/exchangeability.py
	$(BIN)/python benchmarks/covariates.py
	$(BIN)/python benchmarks/wide_pvalue.py
	$(BIN)/python benchmarks/interval_coverage.py
	$(BIN)/python benchmarks/sample_size.py
	$(BIN)/python benchmarks/linear_peers.py
	$(BIN)/python benchmarks/linear_peers.py --case growth
	$(BIN)/python benchmarks/linear_scale.py
	$(BIN)/python benchmarks/single_cells.py
	$(BIN)/python benchmarks/sparse_peers.py
	$(BIN)/python benchmarks/linear_common_individual.py
	$(BIN)/python benchmarks/kernel_peers.py
	$(BIN)/python benchmarks/training_overhead.py
	$(BIN)/python benchmarks/micro_batches.py
	$(BIN)/python benchmarks/dataset_overhead.py
	$(BIN)/python benchmarks/memory_maps.py
	$(BIN)/python benchmarks/deep_defaults.py
	$(BIN)/python benchmarks/deep_defaults.py --mnist
	$(BIN)/python benchmarks/transfer_halves.py --data mnist --train 60000 --only LinearCCA
	$(BIN)/python benchmarks/transform_memory.py
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/model_files.py
	$(BIN)/python benchmarks/crash.py
	$(BIN)/python benchmarks/search_speed.py
	$(BIN)/python benchmarks/missing_views.py
	$(BIN)/python benchmarks/missing_cells.py
	$(BIN)/python benchmarks/retrieval.py
	$(BIN)/python benchmarks/retrieval.py --data emoji
	$(BIN)/python benchmarks/retrieval.py --data audio-sheet --share 100 10
	$(BIN)/python benchmarks/retrieval.py --paper --share 3
	$(BIN)/python benchmarks/hyperlinking.py
	$(BIN)/python benchmarks/semantic_labels.py
	$(BIN)/python benchmarks/semantic_labels.py --samples 2
	$(BIN)/python benchmarks/semantic_labels.py --data mfeat
	$(BIN)/python benchmarks/transfer_halves.py --data mnist
	$(BIN)/python benchmarks/transfer_halves.py --losses
	$(BIN)/python benchmarks/joint_codes.py
	$(BIN)/python benchmarks/mnist_halves_table.py --components 50
	$(BIN)/python benchmarks/noisy_mnist.py
	$(BIN)/python benchmarks/common_individual.py
	$(BIN)/python benchmarks/common_individual.py --mnist --seeds 1

# The results book and the tables of the documents: what is missing or has changed. Scripts
# that take more than so many minutes are left out.
LONGEST ?= 10
results: .venv-old-peers/installed .venv/installed-peers .venv/installed-dask
	$(BIN)/python benchmarks/results_book.py --jobs 2 --longest $(LONGEST)

docs: .venv/installed-docs
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W docs docs/_build

# Asks every address of the manual, so it needs the internet.
linkcheck: .venv/installed-docs
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -b linkcheck docs docs/_build/linkcheck

# On Linux pip brings gigabytes of CUDA with torch, which only a GPU needs. The smaller build
# is tried for once and briefly: where its index cannot be reached, pip's own serves as well.
.venv/torch: constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	@if test "$$(uname)" = Linux && ! command -v nvidia-smi >/dev/null \
		&& ! $(BIN)/pip list --format=freeze | grep -q '^$(TORCH)'; then \
		$(PIP_INSTALL) --no-deps --retries 0 --timeout 15 \
			--index-url https://download.pytorch.org/whl/cpu $(TORCH) 2>/dev/null \
			|| echo "No CPU build of $(TORCH) was found: pip's default follows."; \
	fi
	touch $@

.venv/installed-%: .venv/torch pyproject.toml constraints.txt
	$(PIP_INSTALL) --constraint constraints.txt --editable ".[$*]"
	touch $@

# Packages to compare with that want older releases than ours.
.venv-old-peers/installed:
	test -d .venv-old-peers || $(OLDEST_PYTHON) -m venv .venv-old-peers
	.venv-old-peers/bin/pip install --quiet --only-binary :all: \
		h5py joblib matplotlib 'numpy<2' 'pandas<2.3' 'scikit-learn<1.6' 'scipy<1.14'
	.venv-old-peers/bin/pip install --quiet --no-deps mvlearn pyrcca seaborn
	touch $@

$(LOWEST)/installed: pyproject.toml
	test -d $(LOWEST) || $(OLDEST_PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) \
		--resolution lowest-direct $(addprefix --only-binary ,numpy pandas scikit-learn scipy) \
		--editable '.[dask,plot,search,test]'
	touch $@
