"""Arithmetic coding: the decoder repeats the encoder, and the length is the entropy."""

import math
import random

import pytest

from dil_teach.classical.fractal.arithmetic import Counts, Decoder, Encoder


def coded(coder: Encoder | Decoder, message: list[tuple[int, int]]) -> list[int]:
    """Code (number, total); total 0 stands for a symbol with adaptive probability."""
    counts = Counts([1] * 40)
    return [
        coder.uniform(number, total) if total else coder.symbol(number, counts)
        for number, total in message
    ]


@pytest.mark.parametrize("seed", range(20))
def test_the_decoder_repeats_the_encoder(seed: int) -> None:
    rng = random.Random(seed)
    message = []
    for _ in range(rng.choice((0, 1, 2, 500, 3000))):
        total = rng.choice((0, 0, 0, 1, 2, 1000, 2**17))
        most = total or rng.choice((1, 2, 40))
        message.append((rng.choice((0, most - 1, rng.randrange(most))), total))
    encoder = Encoder()
    numbers = coded(encoder, message)
    content = encoder.finish()
    assert numbers == [number for number, _ in message]
    decoder = Decoder(content)
    assert coded(decoder, message) == numbers
    assert decoder.finished


def test_the_length_is_the_entropy() -> None:
    rng = random.Random(0)
    message = [(int(rng.random() < 0.02), 0) for _ in range(20000)]
    encoder = Encoder()
    coded(encoder, message)
    p = sum(number for number, _ in message) / len(message)
    entropy = -p * math.log2(p) - (1 - p) * math.log2(1 - p)
    assert 8 * len(encoder.finish()) < 1.1 * entropy * len(message)


def test_a_content_that_is_too_short_or_too_long() -> None:
    message = [(number % 40, 0) for number in range(500)]
    encoder = Encoder()
    coded(encoder, message)
    content = encoder.finish()
    with pytest.raises(EOFError):
        coded(Decoder(content[:100]), message)
    decoder = Decoder(content + b"x")
    coded(decoder, message)
    assert not decoder.finished
