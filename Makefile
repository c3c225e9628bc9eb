# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything that a target makes stays under .build.
BUILD := .build
DEMO := $(BUILD)/demo
TEST := $(BUILD)/venv
BENCH := $(BUILD)/bench

# An interpreter that ansible-core 2.19 runs on. A name on PATH can be a shim of a Python that is not there: ask it.
PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13; do \
	$$name -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$name && break; done)

.PHONY: help quick fix demo test matrix docs bench clean

help:
	@echo "make quick   format, lint, types and the fast tests, for while you work"
	@echo "make fix     format the code, and mend what the linter can"
	@echo "make demo    six deployments meet the gate, on emulated pools; needs no account"
	@echo "make test    every check of the collection"
	@echo "make matrix  the tests with every ansible-core that the collection supports, on the Pythons of this machine"
	@echo "make docs    build the documentation site, in .build/site/html"
	@echo "make bench   measure against other ways to read the same jobs, and write docs/benchmark; QUICK=1 to try it"
	@echo "make clean   remove what the others made"

demo: export ANSIBLE_HOME = $(DEMO)/home
demo: export ANSIBLE_COLLECTIONS_PATH = $(DEMO)/collections
demo: $(DEMO)/ready
	@rm -rf $(DEMO)/*.tar.gz $(DEMO)/collections
	@$(DEMO)/venv/bin/ansible-galaxy collection build --output-path $(DEMO) >$(DEMO)/build.log
	@$(DEMO)/venv/bin/ansible-galaxy collection install $(DEMO)/*.tar.gz --offline \
		--collections-path $(DEMO)/collections >>$(DEMO)/build.log
	@$(DEMO)/venv/bin/ansible-playbook poolgate.modelarts.demo

quick fix: $(TEST)/ready
	@$(TEST)/bin/nox --session $@

test: $(TEST)/ready
	@$(TEST)/bin/python tests/run.py

matrix: $(TEST)/ready
	@$(TEST)/bin/python tests/run.py --tags matrix

docs: $(TEST)/ready
	@$(TEST)/bin/nox --session site

bench: $(BENCH)/ready
	@$(BENCH)/venv/bin/python -B tests/benchmark/run.py

clean:
	rm -rf $(BUILD)

$(DEMO)/ready: Makefile
	$(call environment,$(DEMO)/venv,"ansible-core ~= 2.19.0" "requests >= 2.28")
	@touch $@

$(TEST)/ready: Makefile tests/requirements.txt tests/tools.txt $(wildcard tests/*/requirements.txt meta/ee-requirements.txt)
	$(call environment,$(TEST),--requirement tests/requirements.txt pip)
	@$(TEST)/bin/nox --session tools
	@touch $@

$(BENCH)/ready: Makefile tests/benchmark/requirements.txt
	$(call environment,$(BENCH)/venv,--requirement tests/benchmark/requirements.txt)
	@touch $@

install := install --quiet --disable-pip-version-check

# With a pip beside the interpreter (--python came with 22.3), none has to be unpacked first: a fifth of `make demo`.
define environment
	$(if $(PYTHON),,$(error Needs Python 3.11, 3.12 or 3.13 with its module venv on PATH, or make PYTHON=/path/to/python))
	@if $(PYTHON) -m pip --python $(PYTHON) --version >/dev/null 2>&1; then \
		$(PYTHON) -m venv --clear --without-pip $(1) && $(PYTHON) -m pip --python $(1)/bin/python $(install) $(2); \
	else \
		$(PYTHON) -m venv --clear $(1) && $(1)/bin/python -m pip $(install) $(2); \
	fi
endef
