"""The command line: its commands by name, and how it reports bad input."""

import inspect
import os
import re
import sys
import time
import warnings
from collections.abc import Sequence

import tyro

from dil_teach.commands.compress import compress, decompress
from dil_teach.commands.deblur import deblur
from dil_teach.commands.dehaze import dehaze
from dil_teach.commands.denoise import denoise
from dil_teach.commands.estimate_kernel import estimate_kernel
from dil_teach.commands.inpaint import inpaint
from dil_teach.commands.lesson import lesson
from dil_teach.commands.recurrence import recurrence
from dil_teach.commands.remove_watermark import remove_watermark
from dil_teach.commands.retarget import retarget
from dil_teach.commands.segment import segment
from dil_teach.commands.separate import separate
from dil_teach.commands.statistics import statistics
from dil_teach.commands.super_resolve import super_resolve
from dil_teach.commands.synthesise import synthesise

COMMANDS = {
    "super-resolve": super_resolve,
    "denoise": denoise,
    "inpaint": inpaint,
    "synthesise": synthesise,
    "deblur": deblur,
    "dehaze": dehaze,
    "segment": segment,
    "separate": separate,
    "remove-watermark": remove_watermark,
    "retarget": retarget,
    "recurrence": recurrence,
    "statistics": statistics,
    "compress": compress,
    "decompress": decompress,
    "estimate-kernel": estimate_kernel,
    "lesson": lesson,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, by default those of the command line.

    The exit status is 0 on success; 2 if the input cannot be used (one line on standard
    error says why); 130 if interrupted. Torch gets one thread, unless
    ``OMP_NUM_THREADS`` is set or torch is already imported.
    """
    # Torch reads this variable when a command imports torch. One image hardly fills one
    # core, so on a busy machine a second thread mostly waits for the first.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    begin = time.perf_counter()
    try:
        with warnings.catch_warnings():
            # warnings are for programmers; users get errors
            warnings.simplefilter("ignore")
            for command in COMMANDS.values():
                command.__doc__ = _unwrapped(command.__doc__)
            done = tyro.extras.subcommand_cli_from_dict(
                COMMANDS,
                prog="dil-teach",
                description="Deep Internal Learning: what one single image can teach.",
                args=arguments,
            )
    except (ValueError, OSError) as error:
        return _refuse(str(error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise  # a bug of ours; torch also raises RuntimeErrors for lack of memory
        return _refuse("not enough memory; try a smaller image, scale or size")
    except KeyboardInterrupt:
        return _refuse("interrupted", status=130)
    print(f"{done} in {time.perf_counter() - begin:.1f} s")
    return 0


def _unwrapped(docstring: str | None) -> str:
    """A docstring with each argument on one line, because tyro keeps line breaks."""
    return re.sub(r"\n {8,}", " ", inspect.cleandoc(docstring or ""))


def _refuse(why: str, status: int = 2) -> int:
    print("dil-teach:", *why.split(), file=sys.stderr)  # as one line
    return status


if __name__ == "__main__":
    sys.exit(main())
