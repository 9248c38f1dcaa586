# make install | demo | test | chaos | lint | types | proto | verify | score | score-rows | bench-audit | bench-apply | bench-catalog | bench-discovery | bench-rpc | bench-fleet | bench-map | bench-console | dashboard-table — see CONTRIBUTING.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv reads the system's certificate store only when told to.
export UV_SYSTEM_CERTS = 1
# Compiling bytecode into a read-only checkout is nobody's wish.
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: install demo playground chaos score score-rows test test-all test-fast lint types proto typescript console docs recording site node verify bench-audit bench-apply bench-catalog bench-discovery bench-rpc bench-fleet bench-map bench-console dashboard-table clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements/dev.txt requirements/browser.txt requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Holdfast needs Python 3.11 or newer; run: make PYTHON=python3.12 install")'
	$(PYTHON) -m venv $(VENV)
	@# uv is several times faster; pip does the same where uv cannot reach the index.
	($(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt \
	  && $(BIN)/uv pip sync -q --python $(BIN)/python requirements/dev.txt) \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# Tests of the console need a browser; they skip where there is none.
	@if command -v chromium >/dev/null; then $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/browser.txt \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/browser.txt; fi
	@touch $@

demo: install
	@$(BIN)/python clients/python/examples/demo

# A sample database, audited, behind a service on its usual ports, to try everything on; until Ctrl-C.
playground: install
	@$(BIN)/python clients/python/examples/demo/playground.py

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -q -m "not slow" tests

# All of make test, and the tests that take long: every place where the process can be killed.
test-all: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -q tests

# Every crash, cut and stop, and every broken engine, on two versions: at most half an hour. Writes its figures into docs/reliability.md.
chaos: install
	@figures=$$(mktemp -d) && begun=$$(date +%s) && export HOLDFAST_CHAOS_REPORT=$$figures \
	  && timeout 1800 $(BIN)/python -m pytest -n 2 --dist worksteal -q -p no:cacheprovider tests/chaos; result=$$?; \
	  $(BIN)/python tests/chaos/report.py $$figures docs/reliability.md $$(( $$(date +%s) - begun )); rm -r $$figures; exit $$result

test-fast: install
	$(BIN)/python -m pytest -q tests/unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

proto: install
	$(BIN)/python proto/generate.py

# The messages of the clients in TypeScript, from the contract.
typescript: node
	cd clients/typescript && npm run --silent generate

# What docs/ quotes: the contract, the SQL of steps, the outputs of commands, the map.
docs: install
	$(BIN)/python docs/reference/write_api.py
	$(BIN)/python docs/reference/write_cli.py
	HOLDFAST_WRITE_DOCS=1 $(BIN)/python -m pytest -q -p no:cacheprovider tests/integration/test_step_pages.py tests/acceptance/test_map.py tests/acceptance/test_getting_started.py

# The main job on a terminal of 80x24, as docs/terminal.md shows it; needs tmux.
recording: install
	HOLDFAST_WRITE_DOCS=1 $(BIN)/python -m pytest -q -p no:cacheprovider tests/acceptance/test_terminal.py

# docs/ as pages for a browser, in site/.
site: install
	$(BIN)/python -m mkdocs build --strict

# The tools of the Node world that tests run, and the packages that the clients in TypeScript are built from.
node:
	@for folder in tests/node clients/typescript clients/console; do \
	  if [ -f $$folder/package-lock.json ]; then (cd $$folder && npm ci --no-audit --no-fund) || exit 1; fi; done

# The console, from its source into the files that the service serves; commit them.
console:
	cd clients/console && npm ci --no-audit --no-fund && npm run --silent build

verify: lint types
	$(BIN)/python proto/generate.py --check
	$(MAKE) test

# How well relationships are found, on schemas that are kept beside the project.
score: install
	$(BIN)/python tests/benchmarks/score.py

# The same with rows: what a look at values adds, and how long it takes.
score-rows: install
	$(BIN)/python tests/benchmarks/score_rows.py

bench-audit: install
	$(BIN)/python tests/benchmarks/audit --factor $(or $(FACTOR),0.1) --rounds $(or $(ROUNDS),0) $(if $(STATE),--state $(STATE)) $(if $(RAW),--raw $(RAW))

# What an application notices while a plan is applied, by hand and by Holdfast; needs 5 GB of disk and ten quiet minutes.
bench-apply: install
	$(BIN)/python tests/benchmarks/apply $(if $(FACTOR),--factor $(FACTOR)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(MEMORY),--memory)

# How long the catalog of many tables takes to read, and how much memory.
bench-catalog: install
	$(BIN)/python tests/benchmarks/large_catalog.py --tables $(or $(TABLES),10000)

# CPU seconds, memory and growth of discovery on catalogs of 500 to 10,000 tables; no database.
bench-discovery: install
	$(BIN)/python tests/benchmarks/discovery_speed.py $(if $(TABLES),--tables $(TABLES))

# What every panel of the dashboard shows, asked of a real Prometheus, into docs/dashboard.md.
dashboard-table: install
	HOLDFAST_WRITE_DASHBOARD=1 $(BIN)/python -m pytest -q -p no:cacheprovider tests/acceptance/test_prometheus.py

# Audits of 200 databases behind a line of 20 ms, by 1, 2 and 4 replicas on one store: some minutes, 2 GB of disk.
bench-fleet: install
	$(BIN)/python tests/benchmarks/fleet $(if $(DATABASES),--databases $(DATABASES))

# GetJob and WatchJob against a bare grpc.aio server, in turns: a minute.
bench-rpc: install
	$(BIN)/python tests/benchmarks/rpc $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS))

# How long drawing the relationship map takes, how much memory, how large it is; writes its table into docs/performance.md.
bench-map: install
	$(BIN)/python tests/benchmarks/relationship_map.py --write docs/performance.md

# First draw, frames and clicks of the console on a map of 500 tables, in Chromium; writes its table into docs/performance.md.
bench-console: install
	$(BIN)/python tests/benchmarks/console_map.py --write

clean:
	rm -rf $(VENV) build *.egg-info
