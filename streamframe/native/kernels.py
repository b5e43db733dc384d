"""The compiled kernels, where they were built; without them Arrow does the same, slower.

Rules: a kernel is sure or says no; whoever calls has another way. Memory comes from Arrow's pool, so that it is
counted. While a kernel runs, other threads run as well.
"""

from __future__ import annotations

import ctypes
import os
import zlib
from functools import cache
from pathlib import Path

# `enum outcome` of `values.h`.
DONE, NO_ROOM = 0, 1
# Positions in a block are 32-bit.
MOST_BYTES = (1 << 31) - 1
NEWLINE = ord("\n")
_FOLDER = Path(__file__).parent
# Of pieces on end that a kernel could not read; each has cost some time.
_MOST_REFUSALS = 8
# Those that are there twice, the second time for processors that look at more bytes at once.
_WIDE = (
    "sf_count",
    "sf_csv_end_of_records",
    "sf_csv_decode",
    "sf_parquet_chunk_bytes",
    "sf_parquet_read",
    "sf_parquet_read_steps",
    "sf_parquet_read_many",
    "sf_parquet_close",
)
_LEAST_POWER, _MOST_POWER = -342, 308


class Column(ctypes.Structure):
    """`struct column` of `values.h`."""

    _fields_ = (
        ("kind", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("least", ctypes.c_int64),
        ("most", ctypes.c_int64),
        ("per_second", ctypes.c_int64),
        ("zoned", ctypes.c_int64),
        ("exact", ctypes.c_int64),
        ("values", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("text_room", ctypes.c_int64),
        ("text_used", ctypes.c_int64),
        ("nulls", ctypes.c_int64),
    )


class Progress(ctypes.Structure):
    """`struct progress` of `values.h`."""

    _fields_ = (("at", ctypes.c_int64), ("rows", ctypes.c_int64), ("lacking", ctypes.c_int64))


class Pinned:
    """Some bytes that do not move; an address, for as long as that lasts."""

    def __init__(self, data: bytearray, start: int) -> None:
        self._data, self._start = data, start

    def __enter__(self) -> int:
        self._held = (ctypes.c_char * 0).from_buffer(self._data)
        return ctypes.addressof(self._held) + self._start

    def __exit__(self, *_: object) -> None:
        del self._held


class Trust:
    """Whether a kernel is still asked: not where it has had to say no too often.

    Threads write it without a lock: a kernel may be asked once more.
    """

    def __init__(self) -> None:
        self._refusals = 0

    def __bool__(self) -> bool:
        return self._refusals < _MOST_REFUSALS

    def learn(self, *, sure: bool) -> None:
        """Take one answer into account."""
        self._refusals = max(0, self._refusals - 1) if sure else self._refusals + 1


@cache
def library() -> ctypes.CDLL | None:
    """Return the kernels; None where there are none."""
    path = _FOLDER / "kernels.library"
    if os.environ.get("STREAMFRAME_NATIVE") == "0" or not path.exists():
        return None
    try:
        found = ctypes.CDLL(str(path))
        sources = zlib.crc32(b"".join(file.read_bytes() for file in sorted(_FOLDER.glob("*.[ch]"))))
    except OSError:
        return None
    found.sf_sources.restype = ctypes.c_uint32
    # A checkout may be newer than what was built in it.
    if found.sf_sources() != sources:
        return None
    address, count = ctypes.c_void_p, ctypes.c_int64
    for name, (result, arguments) in {
        "sf_count": (count, (address, count, ctypes.c_int)),
        "sf_csv_end_of_records": (count, (address, count, address)),
        "sf_ndjson_decode": (ctypes.c_int, (address, count, address, count, ctypes.c_int, address, address)),
        "sf_csv_write": (ctypes.c_int, (address, address, count, count, address, count, address)),
        "sf_json_write": (ctypes.c_int, (address, count, count, address, count, address)),
        "sf_select": (count, (address, count, address)),
        "sf_group": (count, (address, count, count, address, address, count, address, address)),
        "sf_group_reduce": (ctypes.c_int, (address, count, count, address, address)),
        "sf_filter": (None, (address, count, address, count)),
        "sf_orc_totals": (ctypes.c_int, (address, count, address)),
        "sf_parquet_chunk_bytes": (count, ()),
        "sf_parquet_read": (ctypes.c_int, (address, address, count, address)),
        "sf_parquet_read_steps": (ctypes.c_int, (address, count, address)),
        "sf_parquet_read_many": (ctypes.c_int, (address, address, address, address, address)),
        "sf_parquet_close": (None, (address,)),
        "sf_parquet_dictionary_bytes": (count, ()),
        "sf_parquet_dictionary_close": (None, (address,)),
        "sf_parquet_weigh_page": (ctypes.c_int, (address,)),
        "sf_parquet_weigh": (ctypes.c_int, (address,)),
        "sf_parquet_header": (count, (address, count, address)),
        "sf_parquet_lengths": (count, (address, address, count, address)),
        "sf_parquet_bounds": (count, (address, address, address)),
        "sf_parquet_number": (ctypes.c_int, (address, address)),
        "sf_parquet_text_bounds": (count, (address, address, address, address)),
        "sf_parquet_page": (ctypes.c_int, (address, address, address)),
        "sf_parquet_small": (ctypes.c_int, (address, count, count, address)),
        "sf_parquet_row_groups": (count, (address, count, address)),
        "sf_parquet_footer": (count, (address, count, count, address, count, address, address)),
        "sf_csv_decode": (ctypes.c_int, (address, count, address, address, count, count, address, address, address)),
    }.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    if found.sf_is_wide():
        for name in _WIDE:
            function, wide = getattr(found, name), getattr(found, f"{name}_wide")
            wide.restype, wide.argtypes = function.restype, function.argtypes
            setattr(found, name, wide)
    powers = (ctypes.c_uint64 * (2 * (_MOST_POWER - _LEAST_POWER + 1))).in_dll(found, "sf_powers_of_ten")
    for place, power in enumerate(range(_LEAST_POWER, _MOST_POWER + 1)):
        powers[2 * place], powers[2 * place + 1] = divmod(_upper_bits(power), 1 << 64)
    return found


def _upper_bits(power: int) -> int:
    """Return the 128 upper bits of a power of ten, cut off."""
    value: int = 10 ** abs(power)
    if power >= 0:
        return value << 128 >> value.bit_length()
    inverse = (1 << value.bit_length() + 128) // value
    return inverse >> inverse.bit_length() - 128
