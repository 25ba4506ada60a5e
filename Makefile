# Two commands are enough: `make lab` opens the course, `make test` runs the tests.
# Both make .venv and install into it first, where that is still to be done.
#
#   PYTHON=python3.12                  the Python that .venv is made with (3.11 to 3.13)
#   CONSTRAINTS=constraints-cpu.txt    exactly the versions of that file, torch included
#   COLAB_PYTHON=python3.12            the one that .venv-colab is made with, if another

PYTHON ?= python3
CONSTRAINTS ?=
COLAB_PYTHON ?=

VENV := .venv/bin/python
INSTALL := $(VENV) -m pip install $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
READY := .venv/ready$(addprefix -,$(notdir $(CONSTRAINTS)))
# JupyterLab serves root only when told to, and a container has no other user.
LAB_OPTIONS := $(if $(filter 0,$(shell id -u)),--allow-root) \
  $(if $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname))),,--no-browser)

.PHONY: help setup lab test test-all test-gpu colab check notebooks bench

help:       ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:[^#]*##/\t/'

setup: $(READY)  ## make .venv and install into it

lab: setup  ## open the course in JupyterLab
	$(VENV) -m jupyterlab $(LAB_OPTIONS) --LabApp.default_url=/lab/tree/notebooks/00_tour.ipynb

test: setup  ## every test that this machine can run, but the slow ones
	$(VENV) -m pytest -m "not slow"

test-all: setup colab  ## the slow ones too
	$(VENV) -m pytest

test-gpu: setup  ## those that need a GPU, and every chapter at `full` on CUDA
	@$(VENV) -c "$$CHECK_GPU"
	$(VENV) -m pytest -m gpu

colab: .venv-colab/ready  ## make .venv-colab, with the versions that Colab has

check: setup  ## style, types and import floors alone (the tests hold them too)
	$(VENV) -m ruff check
	$(VENV) -m ruff format --check
	$(VENV) -m pyright
	.venv/bin/lint-imports

notebooks: setup  ## build the chapters again from notebooks/source
	$(VENV) -m dil_teach.course.one_click
	$(VENV) -m dil_teach.course.build

bench: setup  ## measure all methods again, into benchmarks/results: hours
	$(VENV) benchmarks/zssr.py
	$(VENV) benchmarks/recurrence.py
	$(VENV) benchmarks/deep_image_prior.py
	$(VENV) benchmarks/segmentation.py
	$(VENV) benchmarks/separation.py
	$(VENV) benchmarks/dehazing.py
	$(VENV) benchmarks/watermark.py

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

# The list is whole, so it is installed without looking at what each asks for: Colab's
# IPython lacks its jedi, and so does this one. A torch that the Python has is linked to.
COLAB := .venv-colab/bin/python
.venv-colab/ready: constraints-colab.txt | $(READY)
	@$(or $(COLAB_PYTHON),$(VENV)) -c "$$CHECK_PYTHON"
	rm -rf .venv-colab
	$(or $(COLAB_PYTHON),$(VENV)) -m venv .venv-colab
	$(COLAB) -m pip install --no-deps -r constraints-colab.txt
	@$(or $(COLAB_PYTHON),$(VENV)) -c "$$LINK_TORCH"
	$(COLAB) -m pip install -c constraints-colab.txt 'torch>=2.4'
	touch $@

define CHECK_GPU
import sys, torch
if not torch.cuda.is_available():
    sys.exit("make test-gpu needs a GPU with CUDA, and torch %s finds none here: "
             "run it where there is one" % torch.__version__)
endef
export CHECK_GPU

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

# Torch and the packages of CUDA that came with it alone: nothing else of that Python
# may be found, or the chapters would find what Colab lacks.
define LINK_TORCH
import pathlib, re, sys
from importlib.metadata import distributions
site = pathlib.Path(".venv-colab/lib/python%d.%d/site-packages" % sys.version_info[:2])
folder = site.parents[2] / "torch"
for found in distributions():
    name = found.metadata["Name"] or ""
    if re.match("(torch|triton|nvidia-.*|cuda-.*)$$", name) and found.files:
        tops = {file.parts[0] for file in found.files} - {"..", "__pycache__"}
        for top in tops:
            folder.mkdir(exist_ok=True)
            place = folder / top
            if not place.exists():
                place.symlink_to(pathlib.Path(found.locate_file(top)).resolve())
        if name == "torch":
            (site / "torch.pth").write_text("%s\n" % folder.resolve())
            print("linking to torch", found.version)
endef
export LINK_TORCH
