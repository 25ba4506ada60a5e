# Two commands are enough: `make lab` opens the course, `make test` runs the tests.
# If there is no .venv yet, both first make it and install into it.
#
#   PYTHON=python3.12                  the Python that makes .venv (3.11 to 3.13)
#   CONSTRAINTS=constraints-cpu.txt    installs exactly the versions of that file
#   COLAB_PYTHON=python3.12            the Python that makes .venv-colab, by default that of .venv
#   WORKERS=4                          number of test processes (default 2)

PYTHON ?= python3
CONSTRAINTS ?=
COLAB_PYTHON ?=
WORKERS ?= 2

VENV := .venv/bin/python
INSTALL := $(VENV) -m pip install $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
READY := .venv/ready$(addprefix -,$(notdir $(CONSTRAINTS)))
ENVIRONMENT := scripts/environment.py
# One process runs all tests of a file, because they share what its fixtures trained.
PYTEST := $(VENV) -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder
BENCHMARKS := $(filter-out %/record.py %/same_results.py %/readme.py,$(wildcard benchmarks/*.py))
# A container often has no user but root, who may start JupyterLab only with this option.
LAB_OPTIONS := $(if $(filter 0,$(shell id -u)),--allow-root) \
  $(if $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname))),,--no-browser)

.PHONY: help setup lab test test-all test-gpu colab check notebooks bench

help:       ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:[^#]*##/\t/'

setup: $(READY)  ## make .venv and install into it

lab: setup  ## open the course in JupyterLab
	$(VENV) -m jupyterlab $(LAB_OPTIONS) --LabApp.default_url=/lab/tree/notebooks/00_tour.ipynb

test: setup  ## run every test that this machine can run, except the slow ones
	$(PYTEST) -m "not slow"

test-all: setup colab  ## run the slow tests too
	$(PYTEST)

test-gpu: setup  ## run the tests that need a GPU, and every chapter at `full` on CUDA
	@$(VENV) $(ENVIRONMENT) check-gpu
	$(VENV) -m pytest -m gpu

colab: .venv-colab/ready  ## make .venv-colab, with the versions that Colab has

check: setup  ## style, types and import floors only (the tests check them too)
	$(VENV) -m ruff check
	$(VENV) -m ruff format --check
	$(VENV) -m pyright
	.venv/bin/lint-imports

notebooks: setup  ## build the chapters again from notebooks/source
	$(VENV) -m dil_teach.course.one_click
	$(VENV) -m dil_teach.course.build

bench: setup  ## run every benchmark, into benchmarks/results (takes hours)
	$(INSTALL) -e '.[peers]'
	set -e; for file in $(BENCHMARKS) benchmarks/readme.py; do $(VENV) $$file; done

# Each constraints file has its own stamp, .venv/ready-FILE. An install without
# constraints keeps the installed versions, so every install makes its stamp too.
$(READY): .venv/made pyproject.toml $(CONSTRAINTS)
	$(INSTALL) -e '.[lab,test]'
	rm -f .venv/ready*
	touch .venv/ready $@

# A torch that $(PYTHON) already has (from conda, Colab or an activated environment) is
# kept. All other packages are installed into .venv first, because JupyterLab looks for
# its pages and widgets there only.
.venv/made:
	@$(PYTHON) $(ENVIRONMENT) check-python
	test -x .venv/bin/pip || $(PYTHON) -m venv .venv
	@$(VENV) $(ENVIRONMENT) print-requirements > .venv/all-but-torch.txt
	$(INSTALL) -r .venv/all-but-torch.txt
	@$(PYTHON) $(ENVIRONMENT) keep-torch .venv
	touch $@

# The constraints file lists every package, so pip resolves nothing: like Colab's, this
# IPython has no jedi. If the Python has a torch, it is linked.
COLAB := .venv-colab/bin/python
.venv-colab/ready: constraints-colab.txt | $(READY)
	@$(or $(COLAB_PYTHON),$(VENV)) $(ENVIRONMENT) check-python
	rm -rf .venv-colab
	$(or $(COLAB_PYTHON),$(VENV)) -m venv .venv-colab
	$(COLAB) -m pip install --no-deps -r constraints-colab.txt
	@$(or $(COLAB_PYTHON),$(VENV)) $(ENVIRONMENT) link-torch .venv-colab
	$(COLAB) -m pip install -c constraints-colab.txt 'torch>=2.4'
	touch $@
