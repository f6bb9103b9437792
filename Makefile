PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PACKAGE := build/typed

.PHONY: install demo test test-slow lint wheel types docs docs-serve board dist wheel-check mini-zoo ablation clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	# Modules are compiled when they are first imported: compiling all of them takes as long as the rest.
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	# Without what it demands: a requests with known faults, which it never imports.
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --no-deps torchattacks
	touch $@

# The main job on the embedded default: no weights, no data, no network.
demo: install
	SRBENCH_OFFLINE=1 $(BIN)/srbench evaluate --models all --datasets ntire,aim

test: install
	$(BIN)/python -m pytest -n auto --dist worksteal

# What takes longer: runs that are killed, trainings, a Ray cluster, the page in a browser, the examples.
SLOW ?= slow
test-slow: install
	$(BIN)/python -m pytest -n auto --dist worksteal -m '$(SLOW)'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

wheel: install
	rm -rf build/wheel build/lib && mkdir -p build/wheel
	$(BIN)/python -m build --wheel --outdir build/wheel . >build/wheel.log || (cat build/wheel.log; false)

# Type checkers cannot follow the mapping of attacks/ and zoo/ in a checkout, so the built package is checked:
# its types, and that no import runs against the flow or in a circle.
types: wheel
	rm -rf $(PACKAGE)
	$(BIN)/python -m pip install --quiet --no-deps --target $(PACKAGE) build/wheel/*.whl
	cd $(PACKAGE) && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p srbench
	cd $(PACKAGE) && ../../$(BIN)/lint-imports --no-logo --no-cache ../../pyproject.toml

# The documentation site, strictly: build/docs/index.html. Needs no network.
docs: install
	$(BIN)/mkdocs build --strict

# The same in a browser, where the search works: from file:// a browser lets no page read the search index.
docs-serve: install
	$(BIN)/mkdocs serve --strict --dev-addr 127.0.0.1:8000

# The page of the published board, beside the documentation: build/docs/board/index.html. Its records hold no
# pictures, so build/docs/board/pictures/ shows those of every installed model on four images of each mini set.
MINI := clean-mini2,ntire-mini2,aim-mini2
board: install
	$(BIN)/srbench leaderboard --records leaderboards/published/bsd100/records.csv \
		--datasets bsd100-ntire-like,bsd100-aim-like,bsd100-clean --html build/docs/board
	$(BIN)/srbench evaluate --quiet --models all --datasets $(MINI) --limit 4 --keep-images --store build/pictures
	$(BIN)/srbench leaderboard --store build/pictures --datasets $(MINI) --html build/docs/board/pictures

# The sdist and the wheel as an index takes them: dist/.
dist: install
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

# Install the wheel where nothing else is, and use it away from the checkout.
wheel-check: wheel
	rm -rf build/empty && mkdir -p build/elsewhere
	$(PYTHON) -m venv build/empty
	build/empty/bin/python -m pip install --quiet --no-compile --constraint constraints.txt build/wheel/*.whl
	cd build/elsewhere && ../empty/bin/srbench --version
	cd build/elsewhere && SRBENCH_OFFLINE=1 SRBENCH_HOME=home ../empty/bin/srbench evaluate \
		--models bicubic --datasets clean-mini --limit 1 --metrics psnr,ssim

# Train all models of zoo/mini again, from seeds: make mini-zoo DATA=dead-leaves,KODAK24_DIRECTORY.
DATA ?= dead-leaves
RUNS ?= runs
JOBS ?= 2

mini-zoo: install
	$(BIN)/srbench maintain suite mini-zoo --data $(DATA) --out $(RUNS)/mini-zoo --jobs $(JOBS) --zoo zoo

# Train the twelve rows of the paper's Table 1 at mini scale, and measure them.
ablation: install
	$(BIN)/srbench maintain suite ablation-mini --data $(DATA) --out $(RUNS)/ablation-mini --jobs $(JOBS)
	$(BIN)/srbench evaluate --models '$(RUNS)/ablation-mini/*' --datasets ntire,aim --metrics psnr,ssim,lpips \
		--out leaderboards/ablation-mini

clean:
	rm -rf build dist $(VENV) *.egg-info
