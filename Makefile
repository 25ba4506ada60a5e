# Two commands are enough: `make lab` opens the course, `make test` runs the tests.
# Both make .venv and install into it first, where that is still to be done.
#
#   PYTHON=python3.12                  the Python that .venv is made with (3.11 to 3.13)
#   CONSTRAINTS=constraints-cpu.txt    exactly the versions of that file, torch included

PYTHON ?= python3
CONSTRAINTS ?=

VENV := .venv/bin/python
INSTALL := $(VENV) -m pip install $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
READY := .venv/ready$(addprefix -,$(notdir $(CONSTRAINTS)))
# JupyterLab serves root only when told to, and a container has no other user.
LAB_OPTIONS := $(if $(filter 0,$(shell id -u)),--allow-root) \
  $(if $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname))),,--no-browser)

.PHONY: help setup lab test test-all check notebooks bench

help:       ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:[^#]*##/\t/'

setup: $(READY)  ## make .venv and install into it

lab: setup  ## open the course in JupyterLab
	$(VENV) -m jupyterlab $(LAB_OPTIONS) --LabApp.default_url=/lab/tree/notebooks/00_tour.ipynb

test: setup  ## every test that this machine can run, but the slow ones
	$(VENV) -m pytest -m "not slow"

test-all: setup  ## the slow ones too
	$(VENV) -m pytest

check: setup  ## style, types and import floors alone (the tests hold them too)
	$(VENV) -m ruff check
	$(VENV) -m ruff format --check
	$(VENV) -m pyright
	.venv/bin/lint-imports

notebooks: setup  ## build the chapters again from notebooks/source
	$(VENV) -m dil_teach.course.build

bench: setup  ## measure ZSSR again, into benchmarks/results
	$(VENV) benchmarks/zssr.py

# A stamp for each constraints file: an install without one keeps what it finds, so it
# does not undo one that was made with it, but the other way round is another install.
$(READY): .venv/made pyproject.toml $(CONSTRAINTS)
	$(INSTALL) -e '.[lab,test]'
	rm -f .venv/ready*
	touch .venv/ready $@

# A torch that $(PYTHON) already has (conda's, Colab's, an activated environment's) is
# kept: a .pth file shows .venv where it lies. All else is installed first, for
# JupyterLab finds its pages and widgets, and we our tools, in .venv itself alone.
.venv/made:
	@$(PYTHON) -c "$$CHECK_PYTHON"
	test -x .venv/bin/pip || $(PYTHON) -m venv .venv
	@$(VENV) -c "$$ALL_BUT_TORCH" > .venv/all-but-torch.txt
	$(INSTALL) -r .venv/all-but-torch.txt
	@$(PYTHON) -c "$$KEEP_TORCH"
	touch $@

define CHECK_PYTHON
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        "dil_teach needs Python 3.11, 3.12 or 3.13, and %s is %d.%d: name another, "
        "as in make setup PYTHON=python3.12"
        % ((sys.executable,) + tuple(sys.version_info[:2]))
    )
endef
export CHECK_PYTHON

define ALL_BUT_TORCH
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = project["optional-dependencies"]
wanted = project["dependencies"] + extras["lab"] + extras["test"]
print(*(line for line in wanted if not line.startswith("torch>")), sep="\n")
endef
export ALL_BUT_TORCH

define KEEP_TORCH
import pathlib, sys
from importlib.metadata import distributions
packages = pathlib.Path(".venv/lib/python%d.%d/site-packages" % sys.version_info[:2])
for torch in distributions(name="torch"):
    recent = tuple(map(int, torch.version.split(".")[:2])) >= (2, 4)
    if recent and packages.is_dir():
        place = pathlib.Path(torch.locate_file("")).resolve()
        (packages / "torch_of_python.pth").write_text("%s\n" % place)
        print("keeping torch", torch.version, "from", place)
        break
endef
export KEEP_TORCH
