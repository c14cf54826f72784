# The two commands are `make demo` and `make test`; both set up what they need, once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := protos specs planning bus trading streaming training serving execution console
DEV_MEMBERS := operators
UV_INSTALL := .uv/bin/uv pip install --quiet --python $(BIN)/python
NATIVE := native/CMakeLists.txt native/pyproject.toml $(shell find native/include native/src native/bind native/tradewind -type f -not -name '*.so' -not -path '*/__pycache__/*' 2>/dev/null)
PROTOS := $(wildcard protos/tradewind/v1/*.proto) protos/build_protos.py

demo: $(VENV)/.run.stamp ## Train, serve and trade two years of real daily bars on this machine; leaves runs/latest/
	$(BIN)/tradewind demo

test: $(VENV)/.dev.stamp ## Everything that must pass: format, types, layers, native suite, clang-tidy, Python suite
	tools/check
	tools/test-native
	tools/tidy
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/cluster

test-cluster: test-planes test-node test-rollout test-kuberay ## On a real Kubernetes: $$KUBECONFIG's, or one built from Go modules and booted here, as root with a node

test-planes: $(VENV)/.dev.stamp ## The part of test-cluster that needs an API server and no node
	[ -n "$$KUBECONFIG" ] || tools/cluster/prepare programs
	# The longest file first, or one CPU idles while it is the last.
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not node" tests/cluster/test_t*.py tests/cluster/test_[!t]*.py

test-node: $(VENV)/.dev.stamp ## The part that needs a node: the pinned CPU, install, five rounds of kills, day two
	[ -n "$$KUBECONFIG" ] || tools/cluster/prepare
	$(BIN)/python -m pytest -s -m node --ignore=tests/cluster/test_rollout_on_a_node.py --ignore=tests/cluster/test_kuberay.py tests/cluster

test-rollout: $(VENV)/.dev.stamp ## On a node of its own: a Live strategy from shadow to canary to champion
	[ -n "$$KUBECONFIG" ] || tools/cluster/prepare
	$(BIN)/python -m pytest -s tests/cluster/test_rollout_on_a_node.py

test-kuberay: $(VENV)/.dev.stamp ## On a node of its own: the example on a Ray cluster that KubeRay runs
	[ -n "$$KUBECONFIG" ] || { tools/cluster/prepare && tools/cluster/build --kuberay; }
	$(BIN)/python -m pytest -s tests/cluster/test_kuberay.py

chaos-cluster: $(VENV)/.dev.stamp ## The install test with 50 rounds of kills instead of 5 (an hour); TRADEWIND_SEED begins elsewhere
	TRADEWIND_ROUNDS=$${TRADEWIND_ROUNDS:-50} $(BIN)/python -m pytest -s tests/cluster/test_install.py

images: ## Every container image, as tradewind/NAME:dev (Docker; nothing else)
	tools/cluster/images build
	tools/cluster/images sizes

crds: $(VENV)/.dev.stamp ## Write the chart's definitions, admission policies and roles anew
	$(BIN)/python -m tradewind.operators.crds charts/tradewind

check: $(VENV)/.dev.stamp ## Formatters, linters, types and layers only
	tools/check

chaos: simulation ## The simulation, then 200 runs of real processes in which things go wrong at random (an hour); a failing one keeps its inputs
	CHAOS_RUNS=$${CHAOS_RUNS:-200} $(BIN)/python -m pytest -n 2 tests/chaos

tidy: $(VENV)/.dev.stamp ## clang-tidy over the native sources
	tools/tidy

sanitize: $(VENV)/.dev.stamp ## The native suite under ASan and UBSan, then under TSan
	tools/test-native address
	tools/test-native thread

fuzz: $(VENV)/.dev.stamp ## Every parser, ten minutes each under libFuzzer, two at a time
	tools/test-native address
	tools/fuzz 600

simulation: $(VENV)/.dev.stamp ## 10,000 seeded days with faults and deaths; TRADEWIND_SEED=n plays one again
	tools/test-native
	TRADEWIND_SEEDS=10000 build/native/tradewind_tests --gtest_filter='Simulation.*'

setup: $(VENV)/.run.stamp ## Only the set-up of `make demo`

lock: .uv/bin/uv ## Resolve the dependencies again and write requirements/*.txt
	tools/lock

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.uv/bin/uv:
	tools/system-packages run
	python3 -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.8,<1'

$(VENV)/bin/python: | .uv/bin/uv
	.uv/bin/uv venv --quiet --python python3 $(VENV)

$(VENV)/.requirements.stamp: requirements/run.txt | $(VENV)/bin/python
	$(UV_INSTALL) --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.run.stamp: $(VENV)/.requirements.stamp $(MEMBERS:%=%/pyproject.toml) $(PROTOS) $(NATIVE)
	$(UV_INSTALL) --no-deps $(MEMBERS:%=-e ./%)
	@echo "building the native part (about two minutes the first time)"
	$(UV_INSTALL) --no-deps --reinstall-package tradewind-native ./native
	@touch $@

$(VENV)/.dev.stamp: $(VENV)/.run.stamp requirements/dev.txt $(DEV_MEMBERS:%=%/pyproject.toml)
	tools/system-packages test
	$(UV_INSTALL) --require-hashes -r requirements/dev.txt
	$(UV_INSTALL) --no-deps $(DEV_MEMBERS:%=-e ./%)
	@touch $@

.PHONY: demo test test-cluster test-planes test-node test-rollout test-kuberay images crds check chaos chaos-cluster tidy sanitize fuzz simulation setup lock help
