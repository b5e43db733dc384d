"""What the rows of a column chunk weigh: by their levels, and the lengths of their text.

Rule: the same as the kernel of `native.parquet_rows` does, where there is none: right, and slow. See there too for what
is told.
"""

from __future__ import annotations

import struct
from typing import Any, Protocol

import numpy as np

from streamframe.native.parquet_rows import KernelWeigher

# How the lengths of values are told: there are none, by the dictionary, in front of each text, or all of them in order.
EQUAL, BY_INDEX, IN_FRONT, IN_ORDER = range(4)
_AT_ONCE = 1 << 16
Array = np.ndarray[Any, Any]


class Damaged(ValueError):  # noqa: N818 - read as a word in `raise`
    """A page does not hold what it should."""


class Weigher(Protocol):
    """Goes through the levels of a chunk, page by page.

    Attributes
    ----------
    rows, row_bytes
        How many rows have begun, and what the last of them weighs so far.
    before_bytes
        What the rows before it weigh, behind the last end.
    ends
        Rows before which a piece ends, so that none weighs more than it should, but for those of one row.
    too_heavy
        The last row weighs more than any may.
    """

    @property
    def rows(self) -> int: ...
    @property
    def row_bytes(self) -> int: ...
    @property
    def before_bytes(self) -> int: ...

    ends: list[int]
    too_heavy: bool

    def add(self, levels: int, sections: Any, how: int, lengths: Array | None) -> bool:
        """Go through a page: its repetition levels, its definition levels, its values. False if it is damaged."""


def weigher(
    most_repetition: int, most_definition: int, *, level_bytes: int, most_row_bytes: int, piece_bytes: int
) -> Weigher:
    """Return one for a chunk.

    Parameters
    ----------
    most_repetition, most_definition
        The greatest levels there are.
    level_bytes
        What a value weighs, beside its text.
    most_row_bytes, piece_bytes
        What a row may weigh, and what some rows should.
    """
    made = KernelWeigher if KernelWeigher.is_there() else _Weigher
    return made(most_repetition, most_definition, level_bytes, most_row_bytes, piece_bytes)


class _Weigher:
    def __init__(
        self, most_repetition: int, most_definition: int, level_bytes: int, most_row_bytes: int, piece_bytes: int
    ) -> None:
        self._most_repetition, self._most_definition = most_repetition, most_definition
        self._level_bytes, self._most_row_bytes, self._piece_bytes = level_bytes, most_row_bytes, piece_bytes
        self.rows = self.row_bytes = self.before_bytes = 0
        self.ends: list[int] = []
        self.too_heavy = False

    def add(self, levels: int, sections: Any, how: int, lengths: Array | None) -> bool:
        repetition, definition, values = map(bytes, sections)
        repetitions = _Runs(repetition, self._most_repetition.bit_length())
        definitions = _Runs(definition, self._most_definition.bit_length())
        try:
            texts = _Lengths(values, how, lengths)
            while levels and not self.too_heavy:
                some = min(levels, _AT_ONCE)
                begins = repetitions.read(some) == 0
                weights = np.full(some, self._level_bytes, np.int64)
                if how != EQUAL:
                    there = definitions.read(some) == self._most_definition
                    weights[there] += texts.read(int(there.sum()))
                self._add(begins, weights)
                levels -= some
        except Damaged:
            return False
        return True

    def _add(self, begins: Array, weights: Array) -> None:
        if not self.rows:
            begins[0] = True
        starts = np.flatnonzero(begins)
        totals = np.concatenate([[0], weights.cumsum()])
        pieces = np.diff(totals[np.concatenate([[0], starts, [len(weights)]])])
        for place, nbytes in enumerate(pieces.tolist()):
            if place:
                self._end_row()
            self.row_bytes += nbytes
            if self.row_bytes > self._most_row_bytes:
                self.too_heavy = True
                return

    def _end_row(self) -> None:
        if self.rows:
            if self.before_bytes and self.before_bytes + self.row_bytes > self._piece_bytes:
                self.ends.append(self.rows - 1)
                self.before_bytes = 0
            self.before_bytes += self.row_bytes
            self.row_bytes = 0
        self.rows += 1


class _Runs:
    """Numbers of a few bits, in runs of one number, or packed."""

    def __init__(self, data: bytes, width: int) -> None:
        self._data, self._width = data, width
        self._at = self._left = 0
        self._value: int | None = None
        self._bit = 0

    def read(self, count: int) -> Array:
        """Return the next ones; those of no bits are 0."""
        made = np.zeros(count, np.int64)
        done = 0
        while self._width and done < count:
            if not self._left:
                self._next_run()
            some = min(count - done, self._left)
            made[done : done + some] = self._packed(some) if self._value is None else self._value
            self._left -= some
            done += some
        return made

    def _next_run(self) -> None:
        if self._value is None:
            self._at += self._bit >> 3
        head = shift = 0
        while True:
            if self._at >= len(self._data) or shift > 28:
                raise Damaged
            byte = self._data[self._at]
            self._at += 1
            head |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        self._bit, self._left, self._value = 0, head >> 1, None
        if head & 1:
            if self._left * self._width > len(self._data) - self._at:
                raise Damaged
            self._left *= 8
        else:
            nbytes = -(-self._width // 8)
            self._value = int.from_bytes(self._data[self._at : self._at + nbytes], "little")
            self._at += nbytes
        if not self._left or self._at > len(self._data):
            raise Damaged

    def _packed(self, count: int) -> Array:
        first, skipped = divmod(self._bit, 8)
        bits = count * self._width
        data = np.frombuffer(self._data, np.uint8)[self._at + first : self._at + -(-(self._bit + bits) // 8)]
        self._bit += bits
        apart = np.unpackbits(data, bitorder="little")[skipped : skipped + bits].reshape(count, self._width)
        return apart.astype(np.int64) @ (1 << np.arange(self._width))


class _Lengths:
    """The lengths of the texts of a page."""

    def __init__(self, values: bytes, how: int, lengths: Array | None) -> None:
        self._values, self._how, self._lengths = values, how, lengths
        self._at = 0
        if how == BY_INDEX:
            width = values[0] if values else 0
            if width > 32:
                raise Damaged
            self._indices = _Runs(values[1:], width)

    def read(self, count: int) -> Array:
        """Return the next ones."""
        if self._how == IN_FRONT:
            return np.array([self._next() for _ in range(count)], np.int64)
        assert self._lengths is not None
        if self._how == BY_INDEX:
            indices = self._indices.read(count)
            if count and indices.max() >= len(self._lengths):
                raise Damaged
            return self._lengths[indices]
        self._at += count
        if self._at > len(self._lengths):
            raise Damaged
        return self._lengths[self._at - count : self._at]

    def _next(self) -> int:
        length, self._at = next_length(self._values, self._at)
        return length


def next_length(values: Any, at: int) -> tuple[int, int]:
    """Return the length of the text that stands somewhere behind its length, and where it ends."""
    if at + 4 > len(values):
        raise Damaged
    (length,) = struct.unpack_from("<I", values, at)
    if at + 4 + length > len(values):
        raise Damaged
    return length, at + 4 + length
