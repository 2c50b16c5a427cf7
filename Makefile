# `make help` lists the targets. Variables go on the command line: make ablation TASK=routed SEEDS="0 1 2 3 4"

PYTHON  ?= python3
VENV    ?= .venv
DATASET ?= planted
# the base called as the data set is; of a data set without one, that for clips of one's own
BASES   := $(shell awk -F'[^a-z0-9_]+' '/^def .*RunConfig/ {print $$2}' experiments/bases*.py)
BASE    ?= $(if $(filter $(DATASET),$(BASES)),$(DATASET),folder)
TASK    ?= mixed
SPLIT   ?= 1
SEEDS   ?= 0 1 2
ROOT    ?= runs
OUT     ?= reports
DATA    ?=
WORKERS ?=
ARGS    ?=
FUSIONS ?=
TUNE    ?=
MINUTES ?= 1
PREPARE ?= $(if $(filter grid_digits,$(DATASET)),--text noisy50 --visual mouth)

BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
MMVIDEO := $(BIN)/mmvideo

ifeq ($(DATASET),planted)
FOLDER := data/planted/$(TASK)
RECIPE := planted --task $(TASK) --out $(FOLDER)
STUDY  ?= $(TASK)
else
# those with several official splits
NUMBERED := $(filter ucf101 hmdb51,$(DATASET))
FOLDER := data/$(DATASET)$(if $(NUMBERED),/split$(SPLIT))
RECIPE := $(DATASET) --source "$(DATA)" $(if $(NUMBERED),--split $(SPLIT)) $(PREPARE) --out $(FOLDER)
# a base is called as the data it was made for, or begins so
OWN    := $(if $(filter $(DATASET)%,$(BASE)),yes)
STUDY  ?= $(BASE)$(if $(OWN),$(if $(filter-out 1,$(SPLIT)),-split$(SPLIT)),-$(subst /,-,$(FOLDER:data/%=%)))
endif
MANIFEST := $(FOLDER)/manifest.jsonl

.DEFAULT_GOAL := help
.PHONY: help setup data encode train ablation interactions report compare inspect store test fuzz bench gpu-check lint docs lock check clean
MAKEFLAGS += --no-print-directory

help: ## show this list
	@echo "make TARGET [VARIABLE=value …]"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  %-14s%s\n", $$1, $$2}'
	@echo
	@echo "  DATASET=planted (default) or a folder of datasets/, such as ucf101; DATA=path of your download; SPLIT=1"
	@echo "  PREPARE=further options of the data set's recipe (mmvideo prepare NAME --help)"
	@echo "  FUSIONS=\"early late\" or all (ablation; those of docs/strategies.md, or your own module:Class)"
	@echo "  TASK=mixed (planted only); SEEDS=\"0 1 2\"; WORKERS=runs at once; TUNE=trials an arm; ARGS=further options of the command"

setup: $(STAMP) ## make .venv with exactly the locked versions, and mmvideo in it

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mmvideo needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make setup PYTHON=python3.11"; exit 1; }
	@echo "Installing into $(VENV) (several GB with torch: the first time takes minutes) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
	@echo "Installed. To have mmvideo as a command of your shell: . $(VENV)/bin/activate"

data: $(STAMP) ## make the data set's manifest (and the planted data set itself)
	@if [ "$(DATASET)" != planted ] && [ -z "$(DATA)" ] && [ -e $(MANIFEST) ]; then \
		echo "using $(MANIFEST)"; \
	elif [ "$(DATASET)" != planted ] && [ -z "$(DATA)" ]; then \
		echo "DATASET=$(DATASET) needs DATA=path of your download (see datasets/$(DATASET)/README.md)"; exit 2; \
	else $(MMVIDEO) prepare $(RECIPE); fi

encode: data ## encode all clips with the base's frozen encoders, ahead of training; ARGS="--workers 4" (several at once share it)
	@$(MMVIDEO) encode experiments/bases.py:$(BASE) --set data.manifest=$(MANIFEST) $(ARGS)

train: data ## train one run; ARGS="--fusion.name late --train.epochs 3" changes any field
	@$(MMVIDEO) train experiments/bases.py:$(BASE) --root $(ROOT) --data.manifest $(MANIFEST) $(ARGS)

ablation: data ## compare the fusion strategies: data, all runs, report (resumes where it stopped)
	@$(MMVIDEO) ablate experiments/fusion_strategies.py --name $(STUDY) --root $(ROOT) --out $(OUT) \
		--seeds $(SEEDS) $(if $(WORKERS),--workers $(WORKERS)) $(if $(TUNE),--tune $(TUNE)) $(ARGS) \
		-- --base $(BASE) --manifest $(MANIFEST) $(if $(FUSIONS),--fusions $(FUSIONS))

interactions: $(STAMP) ## which interactions each strategy can learn, on all planted tasks; ARGS="--tasks routed --seeds 0"
	@$(BIN)/python experiments/interactions.py --root $(ROOT) --out $(OUT) $(ARGS)

report: $(STAMP) ## write the study's report again (STUDY=mixed), without training
	@$(MMVIDEO) compare $(ROOT)/$(STUDY) --out $(OUT)

compare: $(STAMP) ## write the reports of all studies under runs/
	@$(MMVIDEO) compare $(dir $(wildcard $(ROOT)/*/study.json)) --out $(OUT)

inspect: data ## a page that shows what the model will see of the data set; ARGS="--examples 12"
	@mkdir -p $(OUT)
	@$(MMVIDEO) inspect $(MANIFEST) --config experiments/bases.py:$(BASE) --out $(OUT)/inspect-$(STUDY).html $(ARGS)

store: $(STAMP) ## what the store of decoded clips holds; ARGS="verify" or "gc" instead
	@$(MMVIDEO) store $(or $(ARGS),ls)

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest -n 2 $(ARGS)

fuzz: $(STAMP) ## draw further for property tests: MINUTES=1 each; ARGS="--list" names them, ARGS="word" chooses
	@$(BIN)/python tests/fuzz.py --minutes $(MINUTES) --out $(OUT)/fuzz $(ARGS)

bench: $(STAMP) ## time the fusions (ARGS="--widths 64"); with DATA=folder of videos, decoding and loading
ifeq ($(DATA),)
	@$(BIN)/python experiments/benchmarks/fusion_speed.py $(ARGS)
else
	@$(BIN)/python experiments/benchmarks/decode.py "$(DATA)" $(ARGS)
	@$(BIN)/python experiments/benchmarks/loader.py "$(DATA)" $(ARGS)
endif

gpu-check: $(STAMP) ## on a GPU, under five minutes: train, resume, evaluate, compile, time; writes experiments/results/gpu
	@$(BIN)/python experiments/gpu_check.py $(ARGS)

lint: $(STAMP) ## check style, types and pages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/mypy --config-file tests/mypy.ini
	@site=$$(mktemp -d) && trap 'rm -rf "$$site"' EXIT && NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir "$$site"

docs: $(STAMP) ## serve the pages of docs/ at http://127.0.0.1:8000
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

lock: $(STAMP) ## choose all versions again, from requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 requirements.txt -o requirements.lock > /dev/null

check: lint test ## lint and test

clean: ## remove caches; data, runs and reports stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	@find mmvideo experiments datasets tests -name __pycache__ -type d -prune -exec rm -rf {} +
