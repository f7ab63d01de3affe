# Everything a person types. Needs Python 3.11 or newer; the rest is installed into .venv.

PYTHON_RUN = .venv/bin/python
# Tests run in two processes, a file at a time; ARGS="-n 0" turns that off.
PYTEST_FLAGS ?= -n 2 --dist loadfile

.PHONY: help run test test-later lint clean chaos bench

help:
	@echo "make run                  start everything on http://127.0.0.1:8000 (Ctrl-C stops it)"
	@echo "make test [ARGS=...]      run the tests, or a part: ARGS=\"tests/devstack/launcher/test_embedded.py -x\""
	@echo "make test-later [YEARS=1 ARGS=...]   the same with every clock ahead (Linux, a C compiler)"
	@echo "make chaos [SEED=1 MINUTES=3 ARGS=...]   kill, freeze and lie to everything under load; compare ledgers"
	@echo "make bench [ARGS=...]     measure it beside its baselines, or a part: ARGS=\"--quick --only P1,P3\""
	@echo "make lint                 style, types, migrations, production settings"
	@echo "make clean                remove .venv and caches; the data in .local stays"

run:
	@sh scripts/venv.sh runtime
	@exec $(PYTHON_RUN) -m devstack.launcher.supervisor

test:
	@sh scripts/venv.sh dev
	@CHROMIUM_PATH=$$(sh scripts/ensure_chromium.sh) exec $(PYTHON_RUN) -m pytest $(PYTEST_FLAGS) $(ARGS)

YEARS ?= 1
test-later:
	@sh scripts/venv.sh dev
	@CHROMIUM_PATH=$$(sh scripts/ensure_chromium.sh) exec sh scripts/test_later.sh $(YEARS) $(PYTEST_FLAGS) $(ARGS)

SEED ?= 1
MINUTES ?= 3
chaos:
	@sh scripts/venv.sh dev
	@exec $(PYTHON_RUN) -m bench.chaos --seed $(SEED) --minutes $(MINUTES) $(ARGS)

bench:
	@sh scripts/venv.sh dev
	@exec $(PYTHON_RUN) -m bench.run $(ARGS)

lint:
	@sh scripts/venv.sh dev
	@sh scripts/lint.sh

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
