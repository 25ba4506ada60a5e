"""Read and write video files with FFmpeg: frames, times, colours and sound."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from io import BytesIO
from itertools import accumulate, pairwise
from math import lcm
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from dil_teach.image.film_record import (
    MATRICES,
    NO_MATRIX,
    UNKNOWN,
    FilmRecord,
    Frame,
    Limit,
    matrix_of,
)

Span = tuple[Fraction | None, Fraction]
"""When a frame is shown first (None: the file does not say), and how long, in s."""

ENCODED = {
    ".mp4": ("mp4", "h264", "yuv420p", {"crf": "10"}),
    ".mov": ("mov", "h264", "yuv420p", {"crf": "10"}),
    ".webm": ("webm", "vp9", "yuv420p", {"crf": "10", "b": "0"}),
    ".mkv": ("matroska", "ffv1", "bgr0", {}),
}
"""Container, codec, pixel format and quality options for each suffix."""
TRANSPARENT = {
    ".mov": ("mov", "prores_ks", "yuva444p10le", {"profile": "4444"}),
    ".webm": ("webm", "vp9", "yuva420p", {"crf": "10", "b": "0"}),
    ".mkv": ("matroska", "ffv1", "bgra", {}),
}
"""The same for frames with alpha."""
FINEST = 1_000_000
"""Largest number of ticks in a second for the times that we write."""
KEEP_PIXEL_ASPECT = (".mp4", ".mov")
"""Suffixes of the files in which PyAV can write the shape of a pixel."""
CONTAINER_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder")
"""Tags that describe the file and not the film."""
MPEG_RANGE, FULL_RANGE = 1, 2
"""FFmpeg's numbers for values of 16 to 235, and of 0 to 255."""
UNKEPT = ("subtitle", "data", "attachment")
"""Kinds of tracks that we do not copy."""
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
"""How the two parts of an .mkv or .webm file begin."""


def read_video(path: Path, limit: Limit) -> tuple[list[Frame], FilmRecord]:
    """All frames of a video file, upright, as RGB or RGBA, and the film's record.

    ``limit`` is called with the size that the header says, and then after each frame. A
    ValueError is raised if a frame is damaged, or if the file ends early.
    """
    _check_matroska_end(path)
    with av.open(path) as file:
        stream = file.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise ValueError("there are no pictures in it")
        context = stream.codec_context
        limit(max(stream.frames, 1), context.height, context.width)
        matrix = matrix_of(context.colorspace, context.height, context.width)
        if context.colorspace not in (*MATRICES, *NO_MATRIX):
            raise ValueError(f"its colour matrix {context.colorspace} is not known")
        frames: list[Frame] = []
        spans: list[Span] = []
        others: set[str] = set()
        turns = 0
        for frame in _decoded(file, stream):
            if frame.is_corrupt:
                raise ValueError(f"frame {len(frames) + 1} is damaged")
            turns = round(frame.rotation / 90)  # anticlockwise, from the metadata
            frames.append(np.rot90(_pixels(frame, matrix), turns))
            limit(len(frames), frame.height, frame.width)
            tick = frame.time_base or Fraction(0)
            start = None if frame.pts is None else frame.pts * tick
            spans.append((start, (frame.duration or 0) * tick))
            if frame.format.components[0].bits > 8:
                others.add("more than 8 bits per channel")
            if frame.interlaced_frame:
                others.add("interlacing")
        if not frames:
            raise ValueError("there are no frames in it")
        durations = _durations(spans, stream)
        start = spans[0][0] or Fraction(0)
        _check_end(stream, start, durations)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        others.update(f"{s.type} track" for s in file.streams if s.type in UNKEPT)
        if len(file.streams.video) > 1:
            others.add("all video tracks but one")
        if file.chapters():
            others.add("chapters")
        record = FilmRecord(
            durations,
            pixel_aspect=1 / aspect if turns % 2 else aspect,
            sound=tuple(track.codec_context.name for track in file.streams.audio),
            source=path,
            start=start,
            matrix=context.colorspace,
            primaries=context.color_primaries,
            transfer=context.color_trc,
            tags=tuple(
                t for t in file.metadata.items() if t[0].lower() not in CONTAINER_TAGS
            ),
            others=tuple(sorted(others)),
        )
    return frames, record


def _decoded(file: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    if stream.metadata.get("alpha_mode") != "1":
        yield from file.decode(stream)
        return
    # FFmpeg's own decoders of VP8 and VP9 ignore alpha
    library = f"libvpx{'-vp9' if stream.codec_context.name == 'vp9' else ''}"
    decoder: Any = av.CodecContext.create(library, "r")
    for packet in file.demux(stream):
        yield from decoder.decode(packet if packet.size else None)


def _pixels(frame: av.VideoFrame, matrix: int) -> Frame:
    """A frame as RGB, or as RGBA if its format has alpha."""
    alpha = any(part.is_alpha for part in frame.format.components)
    options: dict[str, Any] = {"format": "rgba" if alpha else "rgb24"}
    if not frame.format.is_rgb and not frame.format.has_palette:
        full = frame.color_range == FULL_RANGE or "yuvj" in frame.format.name
        options["src_colorspace"] = _for_scaler(matrix)
        options["src_color_range"] = FULL_RANGE if full else MPEG_RANGE
    return frame.to_ndarray(**options)


def _for_scaler(matrix: int) -> int:
    """The number that FFmpeg's scaler has for a colour matrix."""
    return 5 if matrix == 6 else matrix  # 5 and 6 are the same matrix, BT.601


def _durations(spans: list[Span], stream: VideoStream) -> tuple[Fraction, ...]:
    """How long each frame is shown; exactly equal if the film's rate is steady."""
    rate, tick = stream.guessed_rate, stream.time_base or Fraction(1, 1000)
    usual = 1 / rate if rate else Fraction(1, 24)
    starts = [start for start, _ in spans if start is not None]
    steps = [after - before for before, after in pairwise(starts)]
    if len(starts) < len(spans) or min(steps, default=usual) <= 0:
        return (usual,) * len(spans)  # times that cannot be right
    last = spans[-1][1] or (steps[-1] if steps else (stream.duration or 0) * tick)
    last = last or usual
    drifts = [start - starts[0] - usual * n for n, start in enumerate(starts)]
    if max(map(abs, drifts)) <= tick and abs(last - usual) <= tick:
        return (usual,) * len(spans)  # the file's times are rounded
    return (*steps, last)


def _check_end(
    stream: VideoStream, start: Fraction, durations: tuple[Fraction, ...]
) -> None:
    """Raise a ValueError if the film ends before the time that its header says."""
    if not stream.frames or stream.duration is None or stream.time_base is None:
        return
    end = start + sum(durations, Fraction(0))
    said = ((stream.start_time or 0) + stream.duration) * stream.time_base
    if end < said - min(durations) / 2:
        raise ValueError(
            f"its pictures end after {float(end):.2f} s of {float(said):.2f} s"
        )


def _check_matroska_end(path: Path) -> None:
    """Raise a ValueError if an .mkv or .webm file is shorter than its header says."""
    with path.open("rb") as file:
        for name in (EBML, SEGMENT):
            if file.read(4) != name:
                return
            first = file.read(1) or b"\xff"
            more = 8 - first[0].bit_length()  # leading zeros: bytes that follow
            known = int.from_bytes(first + file.read(more), "big")
            size = known - (1 << 7 * (more + 1))
            if size == (1 << 7 * (more + 1)) - 1:  # unknown: a live recording
                return
            file.seek(size, 1)
        missing = file.tell() - path.stat().st_size
    if missing > 0:
        raise ValueError(f"its last {missing} bytes are missing")


def encode_video(frames: list[Frame], suffix: str, record: FilmRecord) -> bytes:
    """A file of RGB or RGBA frames; ``suffix`` is one of ``ENCODED``."""
    height, width, channels = frames[0].shape
    table = TRANSPARENT if channels == 4 else ENCODED
    container, codec, pixels, options = table[suffix]
    if codec == "h264" and (height % 2 or width % 2):
        pixels = "yuv444p"  # yuv420p needs even sides, because it halves them
    tick = Fraction(1, min(lcm(*(t.denominator for t in record.durations)), FINEST))
    times = [round(t / tick) for t in accumulate(record.durations, initial=0)]
    made = BytesIO()
    with ExitStack() as files:
        file = files.enter_context(av.open(made, "w", format=container))
        file.metadata.update(record.tags)
        stream = file.add_stream(
            codec, record.rate.limit_denominator(65535), options=options
        )
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, pixels
        context: Any = stream.codec_context
        context.time_base = tick
        context.max_b_frames = 0  # with them, times that differ come out wrong
        context.sample_aspect_ratio = record.pixel_aspect
        to_pixels = _tag_colours(context, record)
        heard = keeps_sound(record, suffix)
        sound = _sound_packets(record, file, files) if heard else iter(())
        next_sound = next(sound, None)
        lasts = {start: end - start for start, end in pairwise(times)}
        for n in range(len(frames) + 1):
            coded = None
            if n < len(frames):
                kind = "rgba" if channels == 4 else "rgb24"
                rgb = av.VideoFrame.from_ndarray(frames[n], kind)
                coded = rgb.reformat(format=pixels, **to_pixels)
                coded.pts, coded.time_base = times[n], tick
            for packet in stream.encode(coded):
                packet.duration = lasts[packet.pts or 0]
                while next_sound is not None and _seconds(next_sound) <= _seconds(
                    packet
                ):
                    file.mux(next_sound)
                    next_sound = next(sound, None)
                file.mux(packet)
        while next_sound is not None:
            file.mux(next_sound)
            next_sound = next(sound, None)
    return made.getvalue()


def _seconds(packet: av.Packet) -> Fraction:
    return (packet.dts or 0) * packet.time_base


def _tag_colours(context: Any, record: FilmRecord) -> dict[str, int]:
    """Name the colours in the file; return the options that convert frames to them."""
    context.color_primaries = _known(record.primaries)
    context.color_trc = _known(record.transfer)
    if context.pix_fmt.startswith("bgr"):
        context.colorspace, context.color_range = 0, FULL_RANGE  # no matrix: RGB
        return {}
    matrix = matrix_of(record.matrix, context.height, context.width)
    context.colorspace, context.color_range = matrix, MPEG_RANGE
    return {"dst_colorspace": _for_scaler(matrix), "dst_color_range": MPEG_RANGE}


def _known(number: int) -> int:
    return 1 if number == UNKNOWN else number  # BT.709: its primaries are those of sRGB


def _sound_packets(
    record: FilmRecord, file: OutputContainer, files: ExitStack
) -> Iterator[av.Packet]:
    """Add the tracks of sound to a file; return their packets, as coded before."""
    if not record.sound or record.source is None:
        return iter(())
    source = files.enter_context(av.open(record.source))
    tracks = {
        track.index: file.add_stream_from_template(track)
        for track in source.streams.audio
    }

    def packets() -> Iterator[av.Packet]:
        for packet in source.demux(*source.streams.audio):
            if packet.dts is None or packet.pts is None:
                continue
            shift = round(record.start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = tracks[packet.stream.index]
            yield packet

    return packets()


def keeps_sound(record: FilmRecord, suffix: str) -> bool:
    """Whether the film's sound can be copied into a file with this suffix."""
    try:
        with ExitStack() as files:
            made = av.open(BytesIO(), "w", format=ENCODED[suffix][0])
            file = files.enter_context(made)
            for packet in _sound_packets(record, file, files):
                file.mux(packet)
    except (FFmpegError, ValueError, KeyError):
        return False
    return True
