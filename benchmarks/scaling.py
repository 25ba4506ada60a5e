"""Measure time and peak memory of the commands at several sizes, and how they grow.

    python benchmarks/scaling.py                               # all: about an hour
    python benchmarks/scaling.py --only "dehaze envelope" --sides 128 512 2048
    python benchmarks/scaling.py --check                       # then, the estimates

Writes ``benchmarks/results/scaling.json``, from which commands estimate what they need
(``dil_teach/commands/estimate.py``). Each run is a process of its own with one thread.
All times are CPU seconds without the import of torch, so other programs hardly change
them; ``probes`` are multiples of the time of the estimate's probe, which the same
process measures before and after the run. With ``--check``, the commands get another
photograph, and ``ratio`` is the time that they announce, divided by the time that they
take; times under 2 s count as 2 s, because commands do not tell them more exactly.
Sizes that a command refuses are left out.
"""

import functools
import json
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import record
import torch
import tyro

import dil_teach.commands.estimate as estimate
from dil_teach import photo, save_image
from dil_teach.image.augment import add_noise
from dil_teach.image.degradation import blur_and_subsample
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.resize import resize

FILES = "in.png out.png"
RUNS = {
    **{
        f"super-resolve {method}": f"super-resolve {FILES} --method {method}"
        for method in ("zssr", "glasner", "freedman-fattal", "srcnn", "vdsr", "edsr")
    },
    **{
        f"denoise {method}": f"denoise {FILES} --method {method} --noise 10"
        for method in ("bm3d", "nlm", "ksvd", "zs-n2n", "dip")
    },
    **{
        f"inpaint {method}": f"inpaint in.png mask.png out.png --method {method}"
        for method in ("dip", "wexler", "efros-leung")
    },
    "synthesise": "synthesise sample.png out.png --size {size}",
    **{
        f"deblur {budget}": f"deblur {FILES} --budget {budget}"
        for budget in ("quick", "standard", "full")
    },
    **{
        f"dehaze {method}": f"dehaze {FILES} --method {method}"
        for method in ("envelope", "double-dip", "recurrence", "dark-channel")
    },
    **{
        f"segment {method}": f"segment {FILES} --method {method}"
        for method in ("grown-hints", "double-dip")
    },
    **{
        f"separate {method}": "separate in.png two.png --out-first out.png "
        f"--out-second other.png --method {method}"
        for method in ("exclusion-search", "double-dip")
    },
    **{
        f"remove-watermark {method}": "remove-watermark in.png two.png three.png "
        f"--out-dir new --mark mask.png --method {method}"
        for method in ("total-variation", "double-dip")
    },
    **{
        f"retarget {method}": f"retarget {FILES} --scale-x 1.5 --method {method}"
        for method in ("gpnn", "bidirectional", "seam", "ingan", "expand")
    },
    "recurrence": f"recurrence {FILES}",
    "statistics": f"statistics {FILES}",
    "compress": "compress in.png out.frac",
    "decompress": "decompress small.frac out.png --scale {times}",
    **{
        f"estimate-kernel {method}": "estimate-kernel blurred.png out.npy "
        f"--method {method}"
        for method in ("spectrum", "recurrence", "swd", "kernelgan")
    },
}
"""The command line for each method; ``{size}`` is height x width of ``in.png``."""


def write_files(side: int, folder: Path) -> None:
    """Write photographs with ``side`` pixels a row and a mask with a hole of 2%."""
    size = (side * 3 // 4, side)
    rng = torch.Generator().manual_seed(0)
    names, photographs = ("in", "two", "three"), ("astronaut", "chelsea", "coffee")
    if CHECK:
        photographs = ("flower", "coffee", "astronaut")
    for name, of in zip(names, photographs, strict=True):
        large = resize(photo(of), size=size).clamp(0, 1)
        save_image(add_noise(large, 4 / 255, rng).clamp(0, 1), folder / f"{name}.png")
        if name == "in":
            soft = blur_and_subsample(large, gaussian_kernel((6.0, 1.0), angle=0.5), 1)
            save_image(soft.clamp(0, 1), folder / "blurred.png")
    mask = torch.zeros(1, *size)
    mask[:, size[0] // 2 :][:, : size[0] // 7, side // 3 :][..., : side // 7] = 1
    save_image(mask, folder / "mask.png")
    save_image(resize(photo("astronaut"), size=(48, 64)), folder / "sample.png")


def run(method: str, side: int) -> dict | None:
    """One row of the record, measured in a child process; None if it is refused."""
    with tempfile.TemporaryDirectory() as name:
        # another process, so that its memory does not hide that of the command
        _in_a_child(name, write_files, side, Path())
        _in_a_child(name, measure, method, side)
        row = Path(name) / "row.json"
        return json.loads(row.read_text()) if row.exists() else None


def _in_a_child(folder: str, function: Callable, *arguments) -> None:
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        try:
            function(*arguments)
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    os.waitpid(child, 0)


def measure(method: str, side: int) -> None:
    """Run a command in this process and write ``row.json``."""
    from dil_teach.cli import main  # imports the watched functions below

    size = (side * 3 // 4, side)
    line = RUNS[method].format(size=f"{size[0]}x{size[1]}", times=max(side // 64, 1))
    if "small.frac" in line:
        assert main("compress sample.png small.frac".split()) == 0
    seen.clear()
    estimate.probe.cache_clear()
    probes = [estimate.probe()]
    estimate.probe.cache_clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    status = main(line.split())
    took = time.process_time() - begin
    estimate.probe.cache_clear()
    probes.append(estimate.probe())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if status:
        return
    trained, whole = seen.get("trained", 0.0), took + seen.get("left", 0.0)
    row = {
        "method": method,
        "side": side,
        "work": seen["work"],
        "seconds": round(whole, 2),
        "probes": round((took - trained) / (sum(probes) / 2), 1),
        "bytes": 1024 * (peak - before),
        "share": seen.get("share", float(trained > 0)),
    }
    if CHECK:
        told, took = (
            max(t, estimate.LEAST_SECONDS) for t in (seen["announced"], whole)
        )
        row = {"ratio": told / took}
    Path("row.json").write_text(json.dumps(row))


STOP_AFTER, CHECK = 0, False
seen: dict = {}
"""What the watched functions saw during the last run."""
expect, announce, watch = (
    estimate.expect,
    estimate.Estimate.announce,
    estimate.Estimate.watch,
)


def watched_expect(method, image, size, work=None, frames=1):
    seen["work"] = float(frames * size[0] * size[1]) if work is None else work
    return expect(method, image, size, work, frames)


def watched_announce(self, training=0.0):
    seen["announced"] = self.seconds + training
    announce(self, training)


def watched_watch(self, method) -> Iterator:
    times = [time.process_time()]
    for progress in watch(self, method):
        times.append(time.process_time())
        yield progress
        if STOP_AFTER and method.step >= STOP_AFTER:
            break
    seen["trained"] = times[-1] - times[0]
    seen["left"] = 0.0
    if not method.done:
        seen["left"] = seen["trained"] * (method.total_steps / method.step - 1)
    if not STOP_AFTER and len(times) > 3:
        seen["share"] = seen["trained"] / method.total_steps * 2 / (times[3] - times[1])


def main(
    only: tuple[str, ...] = (),
    sides: tuple[int, ...] = (128, 256, 512),
    stop_after: int = 0,
    check: bool = False,
) -> None:
    """Measure the methods, or check the estimates; other rows are kept.

    With ``--stop-after``, training ends after this number of steps. It is counted as if
    all steps took the same time.
    """
    global STOP_AFTER, CHECK
    STOP_AFTER, CHECK = stop_after, check
    torch.set_num_threads(1)
    probe = estimate.probe.__wrapped__  # estimates in CPU seconds
    estimate.probe = functools.cache(lambda: probe(time.process_time))
    estimate.time = SimpleNamespace(
        perf_counter=time.process_time, monotonic=time.monotonic
    )
    estimate.expect = watched_expect
    estimate.Estimate.announce = watched_announce
    estimate.Estimate.watch = watched_watch
    commit = record.commit_of_code("benchmarks/scaling.py")
    for method in only or RUNS:
        for side in sides:
            row = run(method, side)
            print(row or f"{method} refuses {side}", flush=True)
            known = record.read("scaling")
            here = [r for r in known if (r["method"], r["side"]) == (method, side)]
            rows = [r for r in known if r not in here]
            if row:
                rows.append(here[0] | row if check else row)
            rows.sort(key=lambda row: (list(RUNS).index(row["method"]), row["side"]))
            record.write("scaling", rows, commit)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
