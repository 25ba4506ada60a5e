"""Adaptive arithmetic coding: Witten, Neal and Cleary, "Arithmetic coding for data
compression", Communications of the ACM 1987, with bytes instead of bits as in Martin,
"Range encoding", Video and Data Recording Conference 1979.

The code of a message is a number in an interval. Each symbol cuts the interval into
parts in proportion to the probabilities of all symbols, and keeps the part of this
symbol. So a symbol of probability p costs log2(1 / p) bits, also if this is less than
one bit. The decoder sees in which part the number lies, and cuts in the same way. The
probabilities are counts of the symbols so far, so the file does not store them.

Encoder and decoder have the same methods, and each method returns the symbol. So one
function describes a format and both writes and reads it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

TOP, BOTTOM = 2**32, 2**24
"""The interval is never wider than ``TOP``. Where it is narrower than ``BOTTOM``, one
byte of the code is known, and the interval becomes 256 times as wide."""
MOST_COUNTS = 2**13
"""Sum of the counts at which all are halved. It is far below ``BOTTOM``, so that no
part of the interval is empty."""
INCREMENT = 24
"""One occurrence of a symbol. The first counts are small, so that the probabilities
follow the first symbols quickly."""


class Counts:
    """Adaptive probabilities of the symbols 0, 1, ... of one kind."""

    def __init__(self, first: Sequence[int]) -> None:
        self.counts, self.total = list(first), sum(first)

    def add(self, symbol: int) -> None:
        """Count a symbol."""
        self.counts[symbol] += INCREMENT
        self.total += INCREMENT
        if self.total > MOST_COUNTS:
            self.counts = [-(-count // 2) for count in self.counts]
            self.total = sum(self.counts)


class Encoder:
    """Writes symbols; :meth:`finish` returns the bytes."""

    def __init__(self) -> None:
        self.low, self.width, self.content = 0, TOP, bytearray()

    def symbol(self, symbol: int, counts: Counts) -> int:
        """Write a symbol with adaptive probabilities."""
        below = sum(counts.counts[:symbol])
        self._narrow(below, counts.counts[symbol], counts.total)
        counts.add(symbol)
        return symbol

    def uniform(self, number: int, total: int) -> int:
        """Write one of ``total`` equally probable numbers, at most 2**24."""
        self._narrow(number, 1, total)
        return number

    def finish(self) -> bytes:
        """All bytes; the last one chooses a number of the last interval."""
        self.low = -(-self.low // BOTTOM) * BOTTOM
        self._carry()
        return bytes(self.content) + bytes([self.low >> 24])

    def _narrow(self, below: int, part: int, total: int) -> None:
        unit = self.width // total
        self.low, self.width = self.low + unit * below, unit * part
        self._carry()
        while self.width < BOTTOM:
            self.content.append(self.low >> 24)
            self.low, self.width = (self.low << 8) % TOP, self.width << 8

    def _carry(self) -> None:
        """Add an overflow of ``low`` to the bytes before it."""
        if self.low >= TOP:
            self.low -= TOP
            last = len(self.content) - 1
            while self.content[last] == 255:
                self.content[last] = 0
                last -= 1
            self.content[last] += 1


class Decoder:
    """Reads the symbols of an :class:`Encoder`.

    A damaged content gives wrong symbols. A content that ends too early gives an
    EOFError, because the encoder's last byte is followed by three implied zeros.
    """

    def __init__(self, content: bytes) -> None:
        self.content, self.next = content + bytes(3), 0
        self.above, self.width = 0, TOP  # the number, measured from the interval's low
        for _ in range(4):
            self._byte()

    def symbol(self, _: int, counts: Counts) -> int:
        """Read a symbol; the first argument is not used."""
        cumulative = list(accumulate(counts.counts))
        unit = self.width // counts.total
        symbol = bisect_right(cumulative, min(self.above // unit, counts.total - 1))
        part = counts.counts[symbol]
        self._narrow(cumulative[symbol] - part, part, unit)
        counts.add(symbol)
        return symbol

    def uniform(self, _: int, total: int) -> int:
        """Read one of ``total`` equally probable numbers."""
        unit = self.width // total
        number = min(self.above // unit, total - 1)
        self._narrow(number, 1, unit)
        return number

    @property
    def finished(self) -> bool:
        """True if exactly the content has been read."""
        return self.next == len(self.content)

    def _narrow(self, below: int, part: int, unit: int) -> None:
        self.above, self.width = self.above - unit * below, unit * part
        while self.width < BOTTOM:
            self._byte()
            self.width <<= 8

    def _byte(self) -> None:
        if self.next == len(self.content):
            raise EOFError("expected more bytes of the arithmetic code")
        self.above = self.above << 8 | self.content[self.next]
        self.next += 1
