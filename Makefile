# The lottery's commands. `make run` and `make test` need Python 3.11 or newer and make, and
# set up the rest themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCAN := .venv-lint
LINT_JS := $(SCAN)/js/node_modules/.bin
SEMGREP := $(SCAN)/bin/semgrep scan --metrics=off --disable-version-check
FLASK := $(BIN)/flask --app lottery_system

.DEFAULT_GOAL := help

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | column -t -s "$$(printf '\t')"

run: $(VENV)/app ## serve the lottery on http://127.0.0.1:8080/
	@$(FLASK) db upgrade
	@$(FLASK) lottery demo --if-empty
	@exec $(BIN)/gunicorn --config config/gunicorn.py

demo: export LOTTERY_DEMO = on
demo: $(VENV)/app ## play a made-up month, serve it on http://127.0.0.1:8080/; the next one throws it away
	@$(FLASK) demo play
	@exec $(BIN)/gunicorn --config config/gunicorn.py

test: $(VENV)/dev $(VENV)/browser ## run all tests, on SQLite and PostgreSQL
	@$(BIN)/python -m pytest

# Not part of make test: measuring doubles the processor time.
coverage: $(VENV)/dev $(VENV)/browser ## run all tests and measure line and branch coverage
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

faults: $(VENV)/dev $(VENV)/browser ## fault injection, the long form: each fault many times, each character changed
	@STRIKES=10 EXAMPLES=250 $(BIN)/python -m pytest tests/faults tests/test_state_machine.py \
		tests/fairness/test_verify.py tests/browser/test_verifier.py

fuzz: $(VENV)/fuzz $(VENV)/browser ## fuzz the verifier with atheris, then against the browser's; a minute each
	@$(BIN)/python -m tests.fairness.fuzz -max_total_time=$${SECONDS_TO_FUZZ:-60} -max_len=20000
	@SECONDS_TO_FUZZ=$${SECONDS_TO_FUZZ:-60} $(BIN)/python -m pytest -n0 tests/browser/test_verifier.py \
		-k same_of_what_chance_makes

ha: $(VENV)/ha/installed ## high availability: fail over between hosts in network namespaces; as root. WEEK=1: a week in half an hour
	@$(BIN)/python -m tests.ha $(if $(WEEK),--week)

bench: $(VENV)/dev ## measure speed on this machine, as ratios within one run
	@$(BIN)/python -m tests.bench

texts: $(VENV)/dev ## update the translation catalogues from the code
	@$(BIN)/python -m lottery_system.translations.extracting

pictures: $(VENV)/dev $(VENV)/browser ## take the screenshots in docs/screenshots
	@$(BIN)/python -m tests.browser.screenshots

lint: $(VENV)/dev $(SCAN)/lint ## check style, types, templates, scripts and security
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/djlint --quiet --lint templates
	@$(SCAN)/bin/bandit --quiet --recursive --configfile pyproject.toml lottery_system config requirements
	@$(SEMGREP) --test tests/rules >/dev/null
	@$(SEMGREP) --quiet --error --config tests/rules/house.yml lottery_system config templates
	@$(MAKE) --no-print-directory lint-pages

lint-pages: $(SCAN)/js/installed ## check scripts, their types, and styles; part of lint
	@cp requirements/lint-js/*.js $(SCAN)/js
	@$(LINT_JS)/eslint --config $(SCAN)/js/eslint.config.js static/js
	@$(LINT_JS)/tsc --project requirements/lint-js
	@$(LINT_JS)/stylelint --config $(SCAN)/js/stylelint.config.js 'static/css/*.css'

format: $(VENV)/dev ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(VENV)/dev ## update the locked versions of requirements/*.in
	@$(BIN)/python requirements/lock.py --upgrade

sbom: ## write sbom.cdx.json, the packages that the lottery runs on, with versions and hashes (CycloneDX)
	@$(PYTHON) requirements/sbom.py >sbom.cdx.json

$(VENV)/app: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The lottery needs Python 3.11 or newer; make PYTHON=python3.13 names another one.")'
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/app
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/fuzz: requirements/fuzz.txt $(VENV)/dev
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(SCAN)/lint: requirements/lint.txt $(VENV)/app
	@echo "Setting up $(SCAN) ..."
	@$(PYTHON) -m venv $(SCAN)
	@$(SCAN)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Into a folder of its own, so that the checkout stays as it is.
$(SCAN)/js/installed: requirements/lint-js/package-lock.json requirements/lint-js/package.json
	@command -v npm >/dev/null || { echo "To check scripts and styles, install Node.js 20.19 or newer, with npm." >&2; exit 1; }
	@echo "Setting up $(SCAN)/js ..."
	@mkdir -p $(SCAN)/js && cp $^ $(SCAN)/js
	@npm ci --prefix $(SCAN)/js --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(VENV)/browser: $(VENV)/dev tests/setup.sh requirements/floors/package-lock.json \
		requirements/foreign.txt
	@PLAYWRIGHT=$(BIN)/playwright FLOORS=$(VENV)/floors FOREIGN=$(VENV)/foreign tests/setup.sh
	@touch $@

# Patroni in an environment of its own, servers in folders of their own.
$(VENV)/ha/installed: $(VENV)/dev tests/ha/setup.sh requirements/ha.txt
	@HA=$(VENV)/ha UV=$(BIN)/uv tests/ha/setup.sh
	@touch $@

.PHONY: help run demo test coverage faults fuzz ha bench texts pictures lint lint-pages format lock sbom
