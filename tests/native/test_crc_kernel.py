"""The kernel's checksum is zlib's, of any number of bytes from any place on."""

from __future__ import annotations

import ctypes
import random
import zlib

from streamframe.native.kernels import library


def test_the_checksum_is_that_of_zlib_whatever_the_length_and_the_place() -> None:
    data = random.Random(1).randbytes(5_000)
    kernels = library()
    assert kernels is not None
    kernels.sf_crc32.argtypes, kernels.sf_crc32.restype = (ctypes.c_void_p, ctypes.c_int64), ctypes.c_uint32
    for length in [*range(300), 1_000, 4_095, 4_096, 4_097, 4_980]:
        for start in (0, 1, 3, 15):
            # Of its own, so that the compiler's checks see where it ends.
            piece = ctypes.create_string_buffer(data[start : start + length], max(1, length))
            assert kernels.sf_crc32(piece, length) == zlib.crc32(data[start : start + length])
