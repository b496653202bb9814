# Each target sets up what it needs by itself: `make report` and `make test` work on a fresh clone.
PYTHON ?= python3
DATA ?= data/demo
QUARTER ?=
REPORT_LANG ?= zh
LINES ?= 1000000,10000000
REPEAT ?= 3
CUSTOMERS ?= 117000
CLV_CUSTOMERS ?= 200000,2000000
CASES ?= 10000

VENV := .venv
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
UV := $(BIN)/uv
READY := $(VENV)/.ready
# Two processes, a module's tests in one of them; what costs most is told at the end.
PYTEST := -n 2 --dist loadscope --no-loadscope-reorder --durations=15 --durations-min=1

# Where nothing compiled is kept every process compiles every package anew, for longer than most of them work.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup report test test-long recovery test-browser test-external lab check lock lock-bench demo notebooks bench bench-data bench-simulation bench-clv bench-malformed bench-memory bench-report \
  clean help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY)  ## environment in .venv, from requirements.lock

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"

$(READY): $(BIN)/uv requirements.lock pyproject.toml
	$(UV) pip install --python $(BIN)/python --require-hashes --requirement requirements.lock
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

report: $(READY)  ## the quarterly report: make report [DATA=folder QUARTER=2026Q3 REPORT_LANG=zh|en]
	$(BIN)/kehu report "$(DATA)" --lang $(REPORT_LANG) $(if $(QUARTER),--quarter $(QUARTER))

test: $(READY)  ## all tests but the long ones, those in a browser and those on logs that are not shipped
	$(BIN)/python -m pytest $(PYTEST)

test-long: $(READY)  ## the long tests, and with all their worlds, examples and cases those that make test takes few of
	KEHU_TESTS_IN_FULL=1 $(BIN)/python -m pytest $(PYTEST) -m "long or scaled"

recovery: $(READY)  ## every world of the recovery tests, half an hour; writes its result into benchmarks/README.md
	$(BIN)/python -m tests.recovery --write

test-browser: $(READY)  ## JupyterLab and the report in a headless Chromium
	$(BIN)/python -m pytest -m browser tests/browser

test-external: $(READY)  ## the public logs that are not shipped: make test-external DATA=folder
	KEHU_EXTERNAL_DATA="$(DATA)" $(BIN)/python -m pytest -m external tests/external

check: $(READY)  ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: $(READY)  ## JupyterLab on notebooks/
	$(BIN)/kehu lab --lang $(REPORT_LANG)

demo: $(READY)  ## write the simulated company in data/demo again
	$(BIN)/kehu demo data/demo --lang $(REPORT_LANG)

notebooks: $(READY)  ## run the notebooks again and store their text outputs
	$(BIN)/python tests/notebooks/refresh.py

bench: bench-data bench-simulation bench-clv bench-malformed bench-memory bench-report  ## speed and memory against plain SQL, pandas and other packages

bench-data: $(READY) $(BENCH_VENV)/.ready  ## raw logs to snapshots and summaries: make bench-data [LINES=1000000,10000000 REPEAT=3]
	$(BIN)/python -m benchmarks.data_speed --lines $(LINES) --repeat $(REPEAT)

bench-simulation: $(READY)  ## a large simulated company and its summaries: make bench-simulation [CUSTOMERS=117000 REPEAT=3]
	$(BIN)/python -m benchmarks.simulation --customers $(CUSTOMERS) --repeat $(REPEAT)

bench-clv: $(READY) $(BENCH_VENV)/.ready  ## models of lifetime value beside other packages: make bench-clv [CLV_CUSTOMERS=200000,2000000 REPEAT=3]
	$(BIN)/python -m benchmarks.clv_speed --customers $(CLV_CUSTOMERS) --repeat $(REPEAT)

bench-report: $(READY)  ## the whole report of ten million lines
	$(BIN)/python -m benchmarks.report_speed

bench-malformed: $(READY)  ## malformed datasets from seeds, none of which may hang, crash or lose a row: make bench-malformed [CASES=10000]
	$(BIN)/python -m benchmarks.malformed --cases $(CASES)

bench-memory: $(READY)  ## memory that large, wide and packed files take, each with a limit
	$(BIN)/python -m benchmarks.workbook_memory

# What we are compared with lives apart: it needs packages that we do not.
$(BENCH_VENV)/.ready: benchmarks/requirements.txt | $(BIN)/uv
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(BENCH_VENV)
	$(UV) pip install --quiet --python $(BENCH_VENV)/bin/python --requirement benchmarks/requirements.txt
	$(UV) pip install --quiet --python $(BENCH_VENV)/bin/python --no-deps --target $(BENCH_VENV)/arrow \
	  "$$(grep -oE '^pyarrow==[0-9.]+' requirements.lock)"
	@touch $@

lock: $(BIN)/uv  ## renew requirements.lock
	$(UV) pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade \
	  --group dev pyproject.toml --output-file requirements.lock

lock-bench: $(BIN)/uv  ## renew benchmarks/requirements.txt; what we use too in the same versions
	$(UV) pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade \
	  --constraint requirements.lock benchmarks/requirements.in --output-file benchmarks/requirements.txt

clean:  ## remove the environments, the reports and what benchmarks made
	rm -rf $(VENV) $(BENCH_VENV) reports benchmarks/.data
