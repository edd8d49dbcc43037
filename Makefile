# stages: Supabase → Convex. `make help` lists the targets.
.NOTPARALLEL:
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
STAGES := .venv/bin/stages
READY := .venv/.ready node_modules/.ready
COMPILE := pip-compile --quiet --generate-hashes --strip-extras --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: help setup extract transform load verify demo test soak bench docs functions lock lint types clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(READY) ## install what is missing: .venv from the lock, node_modules from the lock

.venv/.ready: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "python3 is not on the PATH: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: install a newer one, or say make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: install your system's python3-venv" >&2; exit 1; }
	@echo "installing the Python packages of requirements.lock into .venv"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.ready: package-lock.json package.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "node and npm are not on the PATH: install Node.js 20 or newer" >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "node is older than 20: install a newer one" >&2; exit 1; }
	@echo "installing the packages of package-lock.json into node_modules"
	@npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

extract: $(READY) ## dump the source, and what Convex has, to Parquet
	@$(STAGES) extract $(ARGS)

transform: $(READY) ## documents and rejects, by the SQL models
	@$(STAGES) transform $(ARGS)

load: $(READY) ## documents to Convex
	@$(STAGES) load $(ARGS)

verify: $(READY) ## read Convex back and compare
	@$(STAGES) verify $(ARGS)

demo: $(READY) ## the three stages and verify, on the embedded sandbox
	@$(STAGES) --target sandbox sandbox up --renew
	@$(STAGES) --target sandbox extract
	@$(STAGES) --target sandbox transform
	@$(STAGES) --target sandbox load
	@$(STAGES) --target sandbox verify
	@echo
	@$(STAGES) --target sandbox status

test: $(READY) .venv-installed/.ready lint types ## every test, lint and type check
	@npm test --silent
	@.venv/bin/python -m pytest -q -n auto --dist loadfile

soak: $(READY) ## random kills, damage, odd answers and full disks, for hours; ARGS=--seed N
	@.venv/bin/python -m tests.faults.campaigns $(ARGS)

bench: $(READY) .venv-bench/.ready ## measure extract and transform beside what else could be used
	@.venv/bin/python -m tests.bench $(ARGS)

.venv-bench/.ready: tests/bench/requirements.lock
	@echo "installing what extract is compared with into .venv-bench"
	@rm -rf .venv-bench
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv-installed/.ready: requirements.lock tests/installed/requirements.lock
	@echo "installing what the wheel is tested with into .venv-installed"
	@rm -rf .venv-installed
	@$(PYTHON) -m venv .venv-installed
	@.venv-installed/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock -r tests/installed/requirements.lock
	@touch $@

docs: $(READY) ## what is made by running stages in docs/init.md, another-project.md, python.md and rules.md anew
	@.venv/bin/python -m tests.init.finished
	@.venv/bin/python -m tests.migrations.page
	@.venv/bin/python -m tests.docs.python_reference
	@.venv/bin/python -m tests.docs.rules_page

functions: $(READY) ## what convex/ has of stages/convex/functions anew
	@.venv/bin/python -m tests.convex.functions

lint: $(READY)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: $(READY)
	@.venv/bin/mypy
	@npm run --silent typecheck

lock: ## resolve the locks of Python (needs pip-tools) and the sandbox host's package-lock.json again
	$(COMPILE) --all-extras -o requirements.lock pyproject.toml
	$(COMPILE) -c requirements.lock -o tests/installed/requirements.lock tests/installed/requirements.in
	@cp package-lock.json .npmrc stages/sandbox/host/
	@cd stages/sandbox/host && npm install --silent --package-lock-only --ignore-scripts
	@rm stages/sandbox/host/.npmrc

clean: ## remove staged files; nothing in Supabase or Convex
	@$(STAGES) clean $(ARGS)
