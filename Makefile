# make demo    set up, simulate a granule, run the main job on it, say where the report is
# make test    set up, run the tests
# make bench   set up, time the main job, the network and its training, each against something named
# make score   set up, score the main job on simulated granules and on photons of real ATL07 granules
# make weights set up, make the training data (build/data) and train the shipped network anew (polynya/weights)
# make table   set up, train all recipes with three seeds on that data and print the table of docs/networks.md
# make glacier-weights  set up, make the tiles (build/glaciers) and train the shipped glacier network anew
# make glacier-saturated  set up, train the network for saturated images without short-wave infrared anew
# make glacier-table    set up, train the rivals and strategies on those tiles and print docs/glacier_networks.md's tables
# make concentration-weights  set up, draw radar scenes (build/concentration), train the shipped network of concentration anew
# make leads-weights  set up, draw altimeter tracks (build/leads), train and score the shipped network of leads anew
# make tags-weights   set up, draw wave-mode imagettes (build/wave), train and score the shipped network of tags anew
# make seaice-weights set up, draw optical images of sea ice (build/seaice), train the network of sea ice
# make cluster set up, run freeboard and labels of 24 granules on two local Spark workers, killed again and again
# make lint    ruff (rules and format) and mypy
# make results list the measurements behind the pages' numbers; RUN="simulated atl07" (or old, all) makes these anew
# make docs    build the documentation site into site/, warnings as errors
# make fuzz    set up, damage the files of every reader for MINUTES and see that each ends in a result or one line
# make soak    set up, kill every command that writes for MINUTES, run it again and see that nothing is lost
# make mutants set up, apply one-line changes to a copy, one at a time, and check that the tests catch each
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
MADE   := $(VENV)/.made
STAMP  := $(VENV)/.polynya-installed
TORCH  := $(VENV)/.polynya-installed-with-torch
SITE   := $(VENV)/.polynya-installed-with-docs
INSTALL := "$(BIN)/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e

# Tests and training start many processes: what Python compiled for one serves the others.
unexport PYTHONDONTWRITEBYTECODE

# Photons of these real ATL07 granules go into the training; without them the network knows simulated leads only.
ATL07 ?= $(wildcard ../shared/data/icesat2/processed_ATL07*.h5)

.DEFAULT_GOAL := help
.PHONY: help setup setup-train setup-docs demo test cluster bench score weights table glacier-weights glacier-saturated glacier-table concentration-weights concentration-noise leads-weights tags-weights seaice-weights results lint docs mutants clean fuzz soak

help:
	@sed -n '1,20p' Makefile | sed 's/^# //'

setup: $(STAMP)

$(MADE):
	@test -n "$(PYTHON)" || { echo "polynya needs Python 3.11 or newer; none was found. Pass PYTHON=/path/to/python3.11."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "polynya needs Python 3.11 or newer; $(PYTHON) is older. Pass PYTHON=/path/to/python3.11."; exit 1; }
	"$(PYTHON)" -m venv "$(VENV)"
	@touch "$(MADE)"

$(STAMP): pyproject.toml constraints.txt | $(MADE)
	$(INSTALL) '.[fastio,dev]'
	@touch "$(STAMP)"

setup-train: $(TORCH)

# setup is part of it: both at once take one pip.
$(TORCH): pyproject.toml constraints.txt | $(MADE)
	$(INSTALL) '.[fastio,dev,train,cpu,cloud,spark]'
	@touch "$(STAMP)" "$(TORCH)"

setup-docs: $(SITE)

$(SITE): $(STAMP)
	$(INSTALL) '.[docs]'
	@touch "$(SITE)"

demo: setup
	@mkdir -p demo
	@test -s demo/granule.h5 -a -s demo/granule_truth.parquet || "$(BIN)/polynya" simulate atl03 demo/granule.h5 --season winter --length-km 60 --seed 1 --overwrite
	@rm -rf demo/out
	"$(BIN)/polynya" freeboard demo/granule.h5 -o demo/out
	@echo
	"$(BIN)/polynya" evaluate demo/out/granule --reference demo/granule_truth.parquet --brief
	@echo
	@echo "The report: $(CURDIR)/demo/out/granule/report.html"

test: setup-train
	"$(BIN)/python" -m pytest -n auto --dist loadfile

bench: setup-train
	"$(BIN)/python" benchmarks/bench_freeboard.py
	"$(BIN)/python" benchmarks/bench_predict.py
	"$(BIN)/python" benchmarks/bench_train.py
	"$(BIN)/python" benchmarks/bench_glaciers.py --scene
	"$(BIN)/python" benchmarks/bench_concentration.py

SEEDS ?= 2701-2706

score: setup
	"$(BIN)/python" benchmarks/score_simulated.py --seeds $(SEEDS)
	$(if $(ATL07),"$(BIN)/python" benchmarks/score_atl07.py $(ATL07) --seeds 61-65)

DATA  := build/data

$(DATA)/.made: | setup-train
	"$(BIN)/python" scripts/make_training_data.py $(DATA) $(if $(ATL07),--atl07 $(ATL07))
	@touch $@

TRACKS = --data $(DATA)/train --train-only $(DATA)/short --train-only $(DATA)/surfaces $(if $(ATL07),--train-only $(DATA)/atl07)
weights: setup-train $(DATA)/.made
	"$(BIN)/polynya" train track-unet-wide $(TRACKS) -o build/track-unet-wide --threads 2 --resume
	"$(BIN)/polynya" train track-unet $(TRACKS) --teacher build/track-unet-wide/track-unet-wide.safetensors -o build/track-unet --threads 2 --resume
	"$(BIN)/python" scripts/ship_network.py build/track-unet polynya/weights --data $(DATA)

table: setup-train $(DATA)/.made
	"$(BIN)/python" benchmarks/score_networks.py $(DATA) -o build/trained

# Real glacier chips go into the training; without them the network knows simulated scenes only.
GLACIERS ?= $(wildcard ../shared/data/glaciers)
TILES := build/glaciers

$(TILES)/.made: | setup-train
	"$(BIN)/python" scripts/make_glacier_data.py $(TILES) $(if $(GLACIERS),--real $(GLACIERS))
	@touch $@

# Both halves of Khumbu lie on the western ground of Everest.
EAST_GROUND := $(TILES)/real_east/everest.h5
WEST_GROUND := $(TILES)/real_west $(TILES)/real_east/khumbu_winter.h5 $(TILES)/real_east/khumbu_spring.h5

NARROW := "$(BIN)/polynya" train glavitu-narrow --data $(TILES)/train --start-from build/glavitu-small-0/glavitu-small.safetensors --threads 2 --resume

glacier-weights: setup-train $(TILES)/.made
	"$(BIN)/polynya" train glavitu-small --data $(TILES)/train -o build/glavitu-small-0 --threads 2 --resume
	$(if $(GLACIERS),$(NARROW) $(addprefix --train-only ,$(WEST_GROUND)) -o build/glavitu-narrow-west)
	$(if $(GLACIERS),$(NARROW) --train-only $(EAST_GROUND) -o build/glavitu-narrow-east)
	$(if $(GLACIERS),,$(NARROW) -o build/glavitu-narrow)
	$(if $(GLACIERS),$(NARROW) --train-only $(TILES)/real_west --train-only $(TILES)/real_east -o build/glavitu-narrow --cross-fit build/glavitu-narrow-west/glavitu-narrow.safetensors=$(EAST_GROUND) $(addprefix --cross-fit build/glavitu-narrow-east/glavitu-narrow.safetensors=,$(WEST_GROUND)))
	"$(BIN)/python" scripts/ship_glaciers.py build/glavitu-narrow/glavitu-narrow polynya/weights --data $(TILES)

SATURATED := "$(BIN)/polynya" train glacier-saturated --data build/saturated/train --threads 2 --resume
HALVES := build/saturated-west/glacier-saturated.safetensors=$(TILES)/real_east/everest.h5 build/saturated-east/glacier-saturated.safetensors=$(TILES)/real_west/everest.h5

# Needs the real chips: a network of simulated scenes alone is none for saturated images.
glacier-saturated: setup-train $(TILES)/.made
	"$(BIN)/python" scripts/make_saturated_tiles.py $(TILES) build/saturated
	$(SATURATED) --train-only $(TILES)/real_west/everest.h5 -o build/saturated-west
	$(SATURATED) --train-only $(TILES)/real_east/everest.h5 -o build/saturated-east
	$(SATURATED) --train-only $(TILES)/real_west/everest.h5 --train-only $(TILES)/real_east/everest.h5 -o build/saturated-both $(addprefix --cross-fit ,$(HALVES))
	"$(BIN)/python" scripts/ship_glaciers.py build/saturated-both/glacier-saturated polynya/weights --data $(TILES)

glacier-table: setup-train $(TILES)/.made
	"$(BIN)/python" benchmarks/score_glaciers.py $(TILES) -o build/glacier-table --epochs 6 --strategies
	"$(BIN)/python" benchmarks/score_glaciers.py $(TILES) -o build/glacier-table/shipped --recipes --networks polynya/weights/glavitu-narrow.onnx $(wildcard build/glavitu-small-0/*.onnx build/glavitu-narrow-west/*.onnx build/glavitu-narrow-east/*.onnx) --drop --areas

RADAR := build/concentration

$(RADAR)/.made: | setup-train
	"$(BIN)/python" scripts/make_concentration_data.py $(RADAR)
	"$(BIN)/python" scripts/make_concentration_data.py $(RADAR)/noisy --test-only --keep-noise
	"$(BIN)/python" scripts/make_concentration_data.py $(RADAR)/stress --test-only --range stress --seed 700000
	@touch $@

concentration-weights: setup-train $(RADAR)/.made
	"$(BIN)/polynya" train concentration --data $(RADAR)/train --shares 0.8 0.08 0.12 0 -o build/concentration-network --threads 2 --resume
	"$(BIN)/python" scripts/calibrate_concentration.py build/concentration-network/concentration --data $(RADAR)/calibration
	"$(BIN)/python" benchmarks/score_concentration.py --train $(RADAR)/train --test $(RADAR)/test --noisy $(RADAR)/noisy/test --network build/concentration-network/concentration.onnx -o build/concentration-scores --json > build/concentration-scores.json
	"$(BIN)/python" scripts/ship_concentration.py build/concentration-network/concentration polynya/weights --data $(RADAR) --scores build/concentration-scores.json

# The same training without noise removal: what the removal is worth (docs/concentration.md).
concentration-noise: setup-train $(RADAR)/.made
	"$(BIN)/python" scripts/make_concentration_data.py $(RADAR)/noisy --keep-noise
	"$(BIN)/polynya" train concentration --data $(RADAR)/noisy/train --shares 0.8 0.08 0.12 0 -o build/concentration-noise --threads 2 --resume
	"$(BIN)/python" scripts/results.py concentration_noise --radar $(RADAR)

LEADS := build/leads

$(LEADS)/.made: | setup-train
	"$(BIN)/python" scripts/make_lead_data.py $(LEADS)
	@touch $@

leads-weights: setup-train $(LEADS)/.made
	"$(BIN)/polynya" train leads --data $(LEADS)/train --train-only $(LEADS)/varied --shares 0.75 0.1 0.15 0 -o build/leads-network --threads 2 --resume
	"$(BIN)/python" scripts/ship_leads.py build/leads-network/leads polynya/weights --data $(LEADS)
	"$(BIN)/python" scripts/results.py leads leads_stress leads_without_agc leads_thresholds bench_leads
	"$(BIN)/python" scripts/ship_leads.py build/leads-network/leads polynya/weights --data $(LEADS)

WAVE := build/wave

$(WAVE)/.made: | setup-train
	"$(BIN)/python" scripts/make_wave_data.py $(WAVE)
	@touch $@

# Two processes of one thread each: on a busy machine threads of one process wait for each other after every layer.
tags-weights: setup-train $(WAVE)/.made
	OMP_NUM_THREADS=1 "$(BIN)/python" -m torch.distributed.run --standalone --nproc_per_node 2 -m polynya train tags --data $(WAVE)/train --shares 0.8 0.05 0.15 0 -o build/tags-network --threads 1 --resume
	"$(BIN)/python" scripts/ship_tags.py build/tags-network/tags polynya/weights --data $(WAVE)
	"$(BIN)/python" scripts/results.py tags bench_tags --wave $(WAVE)
	"$(BIN)/python" scripts/ship_tags.py build/tags-network/tags polynya/weights --data $(WAVE)

ICE := build/seaice

$(ICE)/.made: | setup-train
	"$(BIN)/python" scripts/make_seaice_data.py $(ICE)
	@touch $@

seaice-weights: setup-train $(ICE)/.made
	OMP_NUM_THREADS=1 "$(BIN)/python" -m torch.distributed.run --standalone --nproc_per_node 2 -m polynya train seaice --data $(ICE)/train --shares 0.9 0.04 0.06 0 -o build/seaice-network --threads 1 --resume
	"$(BIN)/python" scripts/ship_seaice.py build/seaice-network/seaice polynya/weights --data $(ICE)

# Hours for all of them: run it in the background, as in  nohup make results RUN=old &   Messages: build/results/NAME.log
ATL03 ?= $(wildcard ../shared/data/icesat2/ATL03*gt1l.h5)
ATL10 ?= $(wildcard ../shared/data/icesat2/*ATL10*.h5)

results: setup-train
	@"$(BIN)/python" scripts/results.py $(RUN) $(if $(ATL03),--atl03 $(ATL03)) $(if $(ATL07),--atl07 $(ATL07)) $(if $(ATL10),--atl10 $(ATL10))

# CLUSTER="GRANULES KILLS": so many simulated granules, and so many workers that are killed while they are computed.
CLUSTER ?= 24 20

cluster: setup-train
	POLYNYA_CLUSTER="$(CLUSTER)" "$(BIN)/python" -m pytest -n 0 -s tests/cluster

CODE := polynya tests benchmarks scripts

lint: setup-train
	"$(BIN)/ruff" check $(CODE)
	"$(BIN)/ruff" format --check --quiet $(CODE)
	"$(BIN)/mypy"

docs: setup-docs
	NO_MKDOCS_2_WARNING=1 "$(BIN)/mkdocs" build --strict --quiet
	@echo "The site: $(CURDIR)/site/index.html"

# MUTANTS=--short takes a few only, in less than a minute; MUTANTS="NAME ..." takes these.
mutants: setup-train
	"$(BIN)/python" scripts/mutants.py $(MUTANTS)

# Changed bytes of every kind of file, read again: docs/security.md. The seed makes the same cases.
MINUTES ?= 10
SEED ?= 0

fuzz: setup
	"$(BIN)/python" scripts/fuzz.py --minutes $(MINUTES) --seed $(SEED)

# Kills of every command that writes, and the same command again: docs/security.md.
soak: setup
	"$(BIN)/python" scripts/soak.py --minutes $(MINUTES) --seed $(SEED)

clean:
	rm -rf "$(VENV)" demo build dist site .pytest_cache .ruff_cache .mypy_cache .hypothesis
