"""The kernel weighs rows as Python does, whatever the bytes are; or both say that they are not levels."""

from __future__ import annotations

import os
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamframe.formats.parquet import pages, weighing
from streamframe.formats.parquet.weighing import BY_INDEX, EQUAL, IN_FRONT, IN_ORDER
from streamframe.native.parquet_rows import KernelWeigher, header_of, lengths_of
from tests.formats.scripted import varint
from tests.formats.test_parquet_rows import opened

EXAMPLES = int(os.environ.get("KERNEL_EXAMPLES", "300"))

pytestmark = pytest.mark.skipif(not KernelWeigher.is_there(), reason="needs the kernels")


def runs(chance, most, count):
    """Return so many numbers in runs, as they are written; now and then with a fault."""
    width, made = most.bit_length(), bytearray()
    while count > 0:
        if chance.random() < 0.5:
            some = chance.choice([1, 7, 1000, 5000])
            made += varint(some << 1) + chance.choice([0, most, chance.randrange(most + 1)]).to_bytes(-(-width // 8))
        else:
            some = 8 * chance.choice([1, 2, 63])
            made += varint(some // 8 << 1 | 1) + chance.randbytes(some // 8 * width)
        count -= some
    if chance.random() < 0.05:
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made[: chance.choice([None] * 20 + [len(made) // 2])])


def page(chance, repetition, definition, how):
    levels = chance.choice([0, 1, 63, 5000, 70_000])
    lengths, values = None, b""
    if how == BY_INDEX:
        lengths = np.array([chance.randrange(100) for _ in range(8)], np.int32)
        values = b"\x03" + runs(chance, 7, levels or 1)
    elif how == IN_ORDER:
        lengths = np.array([chance.randrange(100) for _ in range(levels)], np.int32)
    elif how == IN_FRONT:
        texts = [b"a" * chance.randrange(5) for _ in range(levels)]
        values = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    sections = (
        runs(chance, repetition, levels or 1) if repetition else b"",
        runs(chance, definition, levels or 1) if definition else b"",
        values,
    )
    return levels, sections, how, lengths


def test_it_tells_what_python_tells():
    sure = heavy = 0
    for seed in range(EXAMPLES):
        chance = random.Random(seed)
        repetition, definition = chance.choice([0, 1, 2, 3]), chance.choice([0, 1, 3, 7])
        chunk = repetition, definition, chance.choice([1, 4]), chance.choice([50, 10_000, 10**9]), 300
        kernel, python = KernelWeigher(*chunk), weighing._Weigher(*chunk)
        how = chance.choice([EQUAL, BY_INDEX, IN_FRONT, IN_ORDER])
        for _ in range(3):
            given = page(chance, repetition, definition, how)
            told = [each.add(*given) for each in (kernel, python)]
            # What is damaged may have been told before it was too heavy, or behind.
            if kernel.too_heavy or python.too_heavy or not all(told):
                heavy += kernel.too_heavy and python.too_heavy
                assert (kernel.too_heavy, python.too_heavy) == (True, True) or not all(told), seed
                break
            sure += 1
            for name in ("rows", "row_bytes", "before_bytes", "ends"):
                assert getattr(kernel, name) == getattr(python, name), (seed, name)
    assert sure > EXAMPLES / 2
    assert heavy > EXAMPLES / 20


def test_a_row_that_is_too_heavy_is_told_with_its_number():
    kernel = KernelWeigher(1, 3, 8, 1000, 100)
    levels = varint(500 << 1) + b"\x00" + varint(1 << 1) + b"\x00" + varint(10**9 << 1) + b"\x01"
    assert kernel.add(10**9, (levels, b"", b""), EQUAL, None)
    assert kernel.too_heavy
    assert kernel.rows == 501


def test_a_header_is_told_as_python_reads_it(tmp_path, monkeypatch):
    table = pa.table({"x": pa.array([["a", "b"], [], ["c"]] * 500)})
    for version in ("1.0", "2.0"):
        pq.write_table(table, tmp_path / "a.parquet", data_page_version=version, data_page_size=100)
        footer, data = opened(tmp_path / "a.parquet")
        (chunk,) = footer.chunks(0, {"x"})["x"]
        by_kernel = list(pages.pages_of(chunk, data, "a"))
        with monkeypatch.context() as without:
            without.setattr(pages, "header_of", lambda data: None)
            assert list(pages.pages_of(chunk, data, "a")) == by_kernel
        header = data(chunk.start, 1000)
        assert header_of(header) is not None
        assert header_of(header[:5]) is None
        assert len(by_kernel) > 2


def test_lengths_are_those_in_front_of_texts():
    texts = b"\x01\0\0\0a\0\0\0\0\x02\0\0\0bc"
    assert lengths_of(texts, 3).tolist() == [1, 0, 2]
    assert lengths_of(texts, 4) is None
    assert lengths_of(texts[:-1], 3) is None
