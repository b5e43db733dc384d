"""The Parquet kernel makes what Arrow makes of a column chunk, or says that it is not sure, whatever the bytes are.

KERNEL_EXAMPLES=10000 in the environment looks at so many files (a few minutes).
"""

from __future__ import annotations

import datetime as dt
import io
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from streamframe.formats.parquet.footer import Footer
from streamframe.formats.parquet.kernel import Kernel
from streamframe.native.kernels import library
from tests.native.test_csv_kernel import EXAMPLES

MOMENTS = st.integers(-(2**40), 2**40)
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int8(): st.integers(-(2**7), 2**7 - 1),
    pa.uint16(): st.integers(0, 2**16 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.string(): st.text(max_size=12) | st.sampled_from(["ab" * 40, "x" * 200, ""]),
    pa.binary(): st.binary(max_size=80),
    pa.date32(): st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)),
    pa.time32("ms"): st.integers(0, 86_399_999),
    pa.timestamp("ms"): MOMENTS,
    pa.timestamp("us", "UTC"): MOMENTS,
    pa.timestamp("ns", "Europe/Berlin"): MOMENTS,
}


@st.composite
def columns(draw: st.DrawFn) -> pa.Array:
    """Draw a column whose values come in runs, again and again, or once."""
    kind = draw(st.sampled_from(list(VALUES)))
    few = draw(st.lists(VALUES[kind], min_size=1, max_size=draw(st.sampled_from([1, 3, 40, 300]))))
    rows: list[Any] = []
    length = draw(st.integers(0, 3000))
    rng = draw(st.randoms(use_true_random=False))
    nulls = draw(st.sampled_from([0, 0.02, 0.5, 1]))
    most = draw(st.sampled_from([1, 1, 20, 900]))
    while len(rows) < length:
        value = None if rng.random() < nulls else rng.choice(few)
        rows += [value] * rng.randint(1, most)
    return pa.array(rows[:length], kind)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, pa.Array]:
    """Draw a file with one column chunk, and what is in it."""
    column = draw(columns())
    nullable = bool(column.null_count) or draw(st.booleans())
    table = pa.table([column], schema=pa.schema([pa.field("x", column.type, nullable=nullable)]))
    file = io.BytesIO()
    pq.write_table(
        table,
        file,
        row_group_size=max(1, len(column)),
        compression=draw(st.sampled_from(["none", "snappy", "snappy", "zstd", "gzip"])),
        use_dictionary=draw(st.booleans()),
        # Else a dictionary that is full is followed by plain pages.
        dictionary_pagesize_limit=draw(st.sampled_from([1 << 20, 200])),
        data_page_size=draw(st.sampled_from([1 << 20, 100])),
        write_batch_size=draw(st.sampled_from([64, 1024])),
        data_page_version=draw(st.sampled_from(["1.0", "2.0"])),
        write_page_checksum=draw(st.booleans()),
        store_schema=draw(st.booleans()),
    )
    return file.getvalue(), column


def footer_in(data: bytes) -> Footer:
    return Footer("x", b"PAR1" + data[-8 - int.from_bytes(data[-8:-4], "little") :], len(data))


def read(data: bytes, footer: Footer, pieces: list[int], *, encoded: bool = False) -> pa.Array | None:
    """Read the column of a file by the kernel, so many rows at a time in turn; None if it is not sure."""
    column = footer.columns.schema.to_arrow_schema().field("x")
    chunk = Kernel(footer.columns).chunk(
        column, footer.chunks(0, ["x"])["x"], lambda start, count: data[start : start + count], encoded=encoded
    )
    assert chunk is not None
    arrays, left, turn = [], sum(footer.rows), 0
    while left:
        some = min(pieces[turn % len(pieces)], left)
        array = chunk.read(some)
        if array is None:
            return None
        array.validate(full=not pa.types.is_string(column.type))
        arrays.append(array)
        left, turn = left - some, turn + 1
    return pa.concat_arrays(arrays)


PIECES = st.lists(st.sampled_from([1, 7, 63, 64, 100, 1024, 5000]), min_size=1, max_size=4)
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@given(files(), PIECES)
@MANY
def test_the_kernel_reads_what_arrow_wrote(file, pieces):
    data, column = file
    if not len(column):
        return
    made = read(data, footer_in(data), pieces)
    assert made is not None
    assert made.equals(pq.read_table(pa.BufferReader(data))["x"].combine_chunks())
    assert made.null_count == column.null_count


@pytest.mark.slow
@given(files(), PIECES)
@MANY
def test_indices_and_a_dictionary_are_the_text(file, pieces):
    data, column = file
    if not len(column) or not pa.types.is_string(column.type):
        return
    made = read(data, footer_in(data), pieces, encoded=True)
    event("encoded" if made is not None else "not all of it is encoded")
    if made is not None:
        assert made.type == pa.dictionary(pa.int32(), pa.string())
        assert made.cast(pa.string()).equals(column)


@pytest.fixture(params=["narrow", "as wide as it gets"])
def form(request, monkeypatch):
    """Take the kernels that any processor can run, or those that are taken here."""
    kernels = library()
    assert kernels
    if request.param == "narrow":
        for name in ("sf_parquet_chunk_bytes", "sf_parquet_read", "sf_parquet_read_steps", "sf_parquet_close"):
            # By its name: what is called otherwise is the widest.
            narrow, widest = kernels[name], getattr(kernels, name)
            narrow.restype, narrow.argtypes = widest.restype, widest.argtypes
            monkeypatch.setattr(kernels, name, narrow)


@pytest.mark.parametrize("nulls", [0, 0.03, 0.4])
@pytest.mark.parametrize("width", range(1, 19))
def test_numbers_of_a_dictionary_may_have_any_width(form, width, nulls):
    rng = np.random.default_rng(width)
    dictionary = rng.integers(-(2**62), 2**62, 2 ** (width - 1) + 1)
    rows = np.concatenate([dictionary, rng.choice(dictionary, 4_000)])
    column = pa.array(rows, mask=rng.random(len(rows)) < nulls)
    file = io.BytesIO()
    pq.write_table(pa.table({"x": column}), file, dictionary_pagesize_limit=1 << 24, row_group_size=len(rows))
    data = file.getvalue()
    made = read(data, footer_in(data), [1, 7, 5_000, 63])
    assert made is not None
    assert made.equals(column)


RARE = {
    "text": pa.array([None if i % 11 == 0 else f"{i % 50}" * (i % 30) for i in range(400)]),
    "long": pa.array(["x" * 3_000, "y" * 2_000 + "z" * 900] * 4),
    "few": pa.array([i // 90 for i in range(600)], pa.int64()),
    "many": pa.array([i * i for i in range(300)], pa.int32()),
    "narrow": pa.array([None if i % 3 else i % 100 for i in range(500)], pa.int8()),
    "nothing": pa.array([None] * 200, pa.float64()),
}


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("column", RARE)
def test_damaged_bytes_are_rows_or_not_sure_and_nothing_else_is_touched(column, version, compression):
    rng = random.Random(column + version + compression)
    verdicts = set()
    for use_dictionary in (True, False):
        file = io.BytesIO()
        pq.write_table(
            pa.table({"x": RARE[column]}),
            file,
            compression=compression,
            data_page_version=version,
            use_dictionary=use_dictionary,
        )
        whole = file.getvalue()
        made = read(whole, footer_in(whole), [7, 5_000])
        assert made is not None
        assert made.equals(RARE[column])
        end = len(whole) - int.from_bytes(whole[-8:-4], "little") - 8
        for _ in range(EXAMPLES):
            damaged = bytearray(whole)
            for _ in range(rng.randint(1, 3)):
                # The header of the first page is as likely as all that follows.
                at = rng.randrange(4, rng.choice([24, 80, end, end]))
                damaged[at] = rng.choice([0, 0xFF, rng.randrange(256), damaged[at] ^ 1 << rng.randrange(8)])
            verdicts.add(read(bytes(damaged), footer_in(whole), [rng.choice([7, 100, 5_000])]) is None)
    assert verdicts == {True, False}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_no_page_with_a_wrong_checksum_is_taken(version, compression):
    file = io.BytesIO()
    values = pa.table({"x": [i * i % 977 for i in range(2_000)]})
    pq.write_table(values, file, compression=compression, data_page_version=version, write_page_checksum=True)
    data = file.getvalue()
    metadata = pq.read_metadata(pa.BufferReader(data))
    chunk = metadata.row_group(0).column(0)
    assert read(data, footer_in(data), [500]) is not None
    # Behind the header of the page, and at the end of it.
    for at in (-1, -400, -801):
        damaged = bytearray(data)
        damaged[chunk.dictionary_page_offset + chunk.total_compressed_size + at] ^= 4
        assert read(bytes(damaged), footer_in(data), [500]) is None


@pytest.mark.slow
def test_text_that_is_too_long_for_an_array_is_not_sure():
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), ["x" * 1_500_000])
    file = io.BytesIO()
    pq.write_table(pa.table({"x": column}), file, store_schema=False, dictionary_pagesize_limit=1 << 21)
    data = file.getvalue()
    metadata = pq.read_metadata(pa.BufferReader(data))
    assert read(data, footer_in(data), [2_000]) is None
    column = metadata.schema.to_arrow_schema().field("x")
    footer = footer_in(data)
    chunks = footer.chunks(0, ["x"])["x"]
    chunk = Kernel(footer.columns).chunk(column, chunks, lambda at, count: data[at : at + count], encoded=False)
    assert [len(text) for text in chunk.read(3).to_pylist()] == [1_500_000] * 3
