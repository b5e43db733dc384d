"""Lengths in ORC, added up by a kernel."""

from __future__ import annotations

import ctypes

from streamframe.native.kernels import DONE, library


class _Totals(ctypes.Structure):
    """`struct totals` of `orc.c`."""

    _fields_ = (("values", ctypes.c_int64), ("total", ctypes.c_int64), ("least", ctypes.c_int64))


def run_totals(data: bytes) -> tuple[int, int, int] | None:
    """Return how many integers are in runs of the second encoding, their sum, and the least or 0; None if unsure."""
    kernels = library()
    made = _Totals()
    if kernels is None or kernels.sf_orc_totals(data, len(data), ctypes.byref(made)) != DONE:
        return None
    return made.values, made.total, made.least
