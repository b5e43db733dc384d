"""Unsigned integers as ORC writes them, in runs: how many there are, what they sum up to, and the least of them.

Rules: sums are exact, beyond 64 bits as well, since a decoder that wraps around is what is looked for. What is cut is
an `IndexError`. Both encodings are those of https://orc.apache.org/specification/ORCv1 (run length encoding).
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np

from streamframe.formats.orc.protobuf import varint
from streamframe.native.orc import run_totals

# Widths by their codes; those up to 24 are the code and one.
_WIDE = (26, 28, 30, 32, 40, 48, 56, 64)
_SHORT_REPEAT, _DIRECT, _PATCHED = 0, 1, 2
# Usually many runs are alike, and numpy adds them up together.
_AT_ONCE = 64
# A patch that only says that the next one is further away.
_LONGEST_GAP = 255


class Totals(NamedTuple):
    """What some integers are together."""

    values: int = 0
    total: int = 0
    least: int = 0

    def plus(self, values: int, total: int, least: int) -> Totals:
        """Return the totals of these and more."""
        return Totals(self.values + values, self.total + total, min(self.least, least))


def totals(data: bytes, *, version: int) -> Totals:
    """Return what the integers of a stream are together, in the first or the second encoding."""
    if version == 1:
        return _totals_1(data)
    sure = run_totals(data)
    return Totals(*sure) if sure is not None else totals_in_python(data)


def _totals_1(data: bytes) -> Totals:
    found, at = Totals(), 0
    while at < len(data):
        control, at = data[at], at + 1
        if control < 128:
            count, step, at = control + 3, (data[at] ^ 128) - 128, at + 1
            base, at = varint(data, at)
            found = found.plus(count, *_evenly(base, step, count))
            continue
        for _ in range(256 - control):
            value, at = varint(data, at)
            found = found.plus(1, value, value)
    return found


def totals_in_python(data: bytes) -> Totals:
    """Return the same for the second encoding, however wide or damaged its runs are."""
    found, at = Totals(), 0
    while at < len(data):
        head = data[at]
        kind, code = head >> 6, head >> 1 & 31
        if kind == _SHORT_REPEAT:
            nbytes, count = (head >> 3 & 7) + 1, (head & 7) + 3
            value = int.from_bytes(_taken(data, at + 1, nbytes), "big")
            found, at = found.plus(count, value * count, value), at + 1 + nbytes
            continue
        count = ((head & 1) << 8 | data[at + 1]) + 1
        if kind == _DIRECT:
            runs, total, at = _direct(data, at, count, _width(code))
            found = found.plus(runs * count, total, 0)
        else:
            total, least, at = (_patched if kind == _PATCHED else _delta)(data, at + 2, count, code)
            found = found.plus(count, total, least)
    return found


def _direct(data: bytes, at: int, count: int, width: int) -> tuple[int, int, int]:
    """Return how many runs of this length and width follow each other, at least one, and their sum."""
    nbytes = 2 + (count * width + 7) // 8
    most = min(_AT_ONCE, (len(data) - at) // nbytes)
    if not most:
        raise IndexError("a run of integers is cut")
    runs = np.frombuffer(data, np.uint8, most * nbytes, at).reshape(most, nbytes)
    alike = (runs[:, :2] == runs[0, :2]).all(axis=1)
    if not alike.all():
        runs = runs[: alike.argmin()]
    packed = runs[:, 2:]
    if width == 8:
        total = int(packed.sum(dtype=np.uint64))
    else:
        # Run upon run first, which are too few for more than a byte.
        bits = np.unpackbits(packed, axis=1, count=count * width).sum(axis=0, dtype=np.uint8)
        ones = bits.reshape(count, width).sum(axis=0)
        total = sum(int(number) << width - 1 - place for place, number in enumerate(ones))
    return len(runs), total, at + len(runs) * nbytes


def _patched(data: bytes, at: int, count: int, code: int) -> tuple[int, int, int]:
    """Add up values above a base, of which a few are wider than the others."""
    width, third, fourth = _width(code), data[at], data[at + 1]
    base_bytes, patch_width = (third >> 5) + 1, _width(third & 31)
    gap_width, patches = (fourth >> 5) + 1, fourth & 31
    at += 2
    base = int.from_bytes(_taken(data, at, base_bytes), "big")
    sign = 1 << 8 * base_bytes - 1
    base = sign - base if base & sign else base
    at += base_bytes
    nbytes = (count * width + 7) // 8
    values = _unpacked(_taken(data, at, nbytes), count, width)
    at += nbytes
    entry_width = _closest(gap_width + patch_width)
    nbytes = (patches * entry_width + 7) // 8
    place = 0
    for entry in _unpacked(_taken(data, at, nbytes), patches, entry_width):
        gap, patch = entry >> patch_width, entry & (1 << patch_width) - 1
        place += gap
        if gap == _LONGEST_GAP and not patch:
            continue
        values[place] |= patch << width
    return base * count + sum(values), base + min(values), at + nbytes


def _delta(data: bytes, at: int, count: int, code: int) -> tuple[int, int, int]:
    """Add up values of which each differs from the one before, all up or all down."""
    base, at = varint(data, at)
    step, at = varint(data, at)
    step = step >> 1 ^ -(step & 1)
    if not code:
        total, least = _evenly(base, step, count)
        return total, least, at
    width, more = _width(code), max(0, count - 2)
    nbytes = (more * width + 7) // 8
    sizes = _unpacked(_taken(data, at, nbytes), more, width)
    steps = [step, *(sizes if step >= 0 else (-size for size in sizes))][: count - 1]
    values = list(accumulate(steps, initial=base))
    return sum(values), min(values), at + nbytes


def _evenly(base: int, step: int, count: int) -> tuple[int, int]:
    """Return the sum and the least of values, each so much more than the one before."""
    last = base + step * (count - 1)
    return (base + last) * count // 2, min(base, last)


def _unpacked(packed: bytes, count: int, width: int) -> list[int]:
    whole, spare = int.from_bytes(packed, "big"), 8 * len(packed) - count * width
    mask = (1 << width) - 1
    return [whole >> spare + width * (count - 1 - place) & mask for place in range(count)]


def _taken(data: bytes, at: int, nbytes: int) -> bytes:
    taken = data[at : at + nbytes]
    if len(taken) < nbytes:
        raise IndexError("a run of integers is cut")
    return taken


def _width(code: int) -> int:
    return code + 1 if code < 24 else _WIDE[code - 24]


def _closest(bits: int) -> int:
    return bits if bits <= 24 else next((width for width in _WIDE if width >= bits), 64)
