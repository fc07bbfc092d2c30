# Two commands are the law: `make demo` shows the main job, `make test` proves it. Both set up what they need; second runs reuse it.
VENV := .venv
BIN  := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help demo test e2e lint bench clean

help: ## say what can be made
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

$(VENV)/.ready: pyproject.toml .ci/prepare
	@.ci/prepare $(VENV)

demo: $(VENV)/.ready ## boot the lab, run l2probe in it, show the report
	@.ci/prepare $(VENV) nft
	@$(BIN)/l2probe run --lab

test: $(VENV)/.ready lint ## run all tests
	@.ci/prepare $(VENV) nft kubectl
	@L2PROBE_KUBECTL="$$(ls $(CURDIR)/$(VENV)/kubectl/*/kubectl 2>/dev/null | tr '\n' ':')" $(BIN)/python -m pytest -n 2 --dist loadgroup -q $(ARGS)

e2e: $(VENV)/.ready ## a real Kubernetes with MetalLB out of namespaces (root, Go; half an hour; L2PROBE_E2E_WHOLE=1: every fault and command)
	@.ci/prepare $(VENV) nft && tests/real/prepare.sh && $(BIN)/python -m pytest tests/real -m real -q $(ARGS)
	@assets="$$($(BIN)/python -m tests.real assets)" || { echo "$$assets"; exit 0; }; \
	KUBEBUILDER_ASSETS="$$assets" PATH="$$PATH:$$assets" $(BIN)/python -m pytest -q -k "envtest or control_plane or real_api" \
	  tests/lab/test_control_plane.py tests/lab/test_nothing_left.py tests/lab/test_lab_command.py \
	  tests/lab/controllers/test_real_api.py $(ARGS)

lint: $(VENV)/.ready ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.ready ## the speed goals, as ratios and counted waits
	@.ci/prepare $(VENV) nft
	@$(BIN)/python -m tests.bench

clean: ## remove what make made
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
