# stages: Supabase → Convex. `make help` lists the targets.
.NOTPARALLEL:
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
STAGES := .venv/bin/stages
PAGE := stages/page/assets/page.js
READY := .venv/.ready node_modules/.ready $(PAGE)
COMPILE := pip-compile --quiet --generate-hashes --strip-extras --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# Tests run in parallel, next to real servers, on machines of any speed. One that fails there and
# passes alone is still a fault, of the test or of the product, and its first failure stays printed.
ALONE = echo "Rerunning the failed tests, one at a time:" && \
	.venv/bin/python -m pytest -q --last-failed --last-failed-no-failures none --exitfirst

# $(call venv,FOLDER,WHAT,LOCKS): a virtual environment with what the locks pin
define venv
@echo "installing $(2) into $(1)"
@rm -rf $(1)
@$(PYTHON) -m venv $(1)
@$(1)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes $(addprefix -r ,$(3))
endef

.PHONY: help setup extract transform load verify demo test soak bench docs docs-site functions page lock lint types clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(READY) ## install what is missing: .venv and node_modules from the locks, and build the page

.venv/.ready: tests/requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "python3 is not on the PATH: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: install a newer one, or say make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: install your system's python3-venv" >&2; exit 1; }
	$(call venv,.venv,the Python packages of $<,$<)
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.ready: package-lock.json package.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "node and npm are not on the PATH: install Node.js 20 or newer" >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "node is older than 20: install a newer one" >&2; exit 1; }
	@echo "installing the packages of package-lock.json into node_modules"
	@npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(PAGE): node_modules/.ready $(wildcard stages/page/web/*)
	@node stages/page/web/build.mjs

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
	@.venv/bin/python -m pytest -q -n auto --dist loadfile || { [ $$? -eq 1 ] && $(ALONE); }

soak: $(READY) ## random kills, damage, odd answers and full disks, for hours; ARGS=--seed N
	@.venv/bin/python -m tests.faults.campaigns $(ARGS)

bench: $(READY) .venv-bench/.ready ## measure extract and transform beside what else could be used
	@.venv/bin/python -m tests.bench $(ARGS)

.venv-bench/.ready: tests/bench/requirements.lock
	$(call venv,.venv-bench,what extract is compared with,$<)
	@touch $@

.venv-installed/.ready: requirements.lock tests/installed/requirements.lock
	$(call venv,.venv-installed,what the wheel is tested with,$^)
	@touch $@

docs: $(READY) ## what is made by running stages in docs/ anew
	@.venv/bin/python -m tests.init.finished
	@.venv/bin/python -m tests.init.drift_page
	@.venv/bin/python -m tests.migrations.page
	@.venv/bin/python -m tests.docs.python_reference
	@.venv/bin/python -m tests.docs.rules_page
	@.venv/bin/python -m tests.docs.commands_page
	@.venv/bin/python -m tests.docs.files_page
	@.venv/bin/python -m tests.docs.assess_page
	@.venv/bin/python -m tests.docs.servers_page
	@.venv/bin/python -m tests.docs.first_contact
	@.venv/bin/python -m tests.docs.show_page

docs-site: .venv-site/.ready ## docs/ as a site, in build/site
	@.venv-site/bin/sphinx-build -q -W --keep-going -c docs/site docs build/site
	@echo build/site/index.html

.venv-site/.ready: docs/site/requirements.lock
	$(call venv,.venv-site,what the site is made with,$<)
	@touch $@

page: .venv/.ready ## what the page knows of its data (stages/page/web/data.ts) anew
	@.venv/bin/python -m tests.page.data_ts

functions: $(READY) ## what convex/ has of stages/convex/functions anew
	@.venv/bin/python -m tests.convex.functions

lint: $(READY)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: $(READY)
	@.venv/bin/mypy
	@npm run --silent typecheck

lock: ## resolve the locks of Python (needs pip-tools) and the sandbox host's package-lock.json again
	$(COMPILE) --extra sandbox -o requirements.lock pyproject.toml
	$(COMPILE) --all-extras -c requirements.lock -o tests/requirements.lock pyproject.toml
	$(COMPILE) -c requirements.lock -o tests/installed/requirements.lock tests/installed/requirements.in
	$(COMPILE) -c requirements.lock -o docs/site/requirements.lock docs/site/requirements.in
	@cp package-lock.json .npmrc stages/sandbox/host/
	@cd stages/sandbox/host && npm install --silent --package-lock-only --ignore-scripts
	@rm stages/sandbox/host/.npmrc

clean: ## remove staged files; nothing in Supabase or Convex
	@$(STAGES) clean $(ARGS)
