"""What the kernel writes as Parquet, Arrow reads as what it was, with the bounds that Arrow's own writer tells."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.formats.parquet.column_chunk import ChunkOptions, chunks_of
from streamframe.formats.parquet.file_writer import FileFrame, FileWriter
from streamframe.io.atomic import AtomicFile
from streamframe.native.parquet_write import Form
from tests.native.test_csv_kernel import EXAMPLES
from tests.native.test_csv_text_kernel import COUNTS, WHOLE

PAGE_ROWS = 1 << 16
TEXT = st.text(max_size=40)
KNOWN = {
    **WHOLE,
    **COUNTS,
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.binary(): st.binary(max_size=20),
    pa.large_binary(): st.binary(max_size=20),
    pa.bool_(): st.booleans(),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.date32(): st.dates(),
    pa.time32("ms"): st.times().map(lambda time: time.replace(microsecond=0)),
    pa.time64("us"): st.times(),
    pa.timestamp("ms"): st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)).map(
        lambda time: time.replace(microsecond=0)
    ),
    pa.timestamp("us", "Europe/Berlin"): st.datetimes(
        dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)
    ),
    pa.timestamp("ns"): st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),
}
# These are Arrow's.
OTHERS = {
    pa.timestamp("s"): st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)).map(
        lambda time: time.replace(microsecond=0)
    ),
    pa.date64(): st.dates(),
    pa.decimal128(10, 2): st.integers(-(10**9), 10**9).map(lambda cents: decimal.Decimal(cents).scaleb(-2)),
    pa.list_(pa.int64()): st.lists(st.integers(-5, 5), max_size=3),
    pa.struct({"a": pa.int8(), "b": pa.string()}): st.fixed_dictionaries({"a": st.integers(0, 9), "b": TEXT}),
    pa.dictionary(pa.int8(), pa.string()): st.sampled_from(["a", "b", "c"]),
    pa.null(): st.none(),
}


@pytest.fixture(autouse=True, scope="module")
def few_rows_are_the_kernels_too() -> Iterator[None]:
    """Else Arrow would write files as small as these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamframe.formats.parquet.encoding._SMALL_FILE_BYTES", 0)
        yield


def written(batches: Sequence[pa.RecordBatch], **options: Any) -> pa.Buffer:
    return pa.py_buffer(b"".join(sf.from_batches(batches).to_bytes("parquet", **options)))


def read(file: pa.Buffer) -> pa.Table:
    return pq.read_table(pa.BufferReader(file), page_checksum_verification=True)


def same(one: pa.Table, other: pa.Table) -> bool:
    """Equality with NaN being NaN, which Arrow's is not."""
    return one.schema.equals(other.schema) and repr(one.to_pydict()) == repr(other.to_pydict())


@st.composite
def batches(draw: st.DrawFn, kinds: dict[pa.DataType, st.SearchStrategy[Any]]) -> list[pa.RecordBatch]:
    fields, values = [], []
    for place in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(list(kinds)))
        nullable = pa.types.is_null(kind) or draw(st.booleans())
        few = st.sampled_from(draw(st.lists(kinds[kind], min_size=1, max_size=3)))
        chosen = few if draw(st.booleans()) else kinds[kind]
        fields.append(pa.field(f"c{place}", kind, nullable=nullable))
        values.append(chosen | st.none() if nullable else chosen)
    schema = pa.schema(fields)
    made = []
    for _ in range(draw(st.integers(1, 3))):
        rows, skipped = draw(st.integers(0, 40)), draw(st.integers(0, 9))
        arrays = []
        for field, value in zip(fields, values, strict=True):
            drawn = draw(st.lists(value, min_size=rows, max_size=rows))
            repeated = [each for each in drawn for _ in range(draw(st.sampled_from([1, 1, 9])))][:rows]
            before = [drawn[0] if drawn else None] * skipped
            arrays.append(pa.array(before + repeated, field.type).slice(skipped))
        made.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return made


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(batches(KNOWN), st.sampled_from(["snappy", "zstd", "none", "lz4", "gzip", "brotli"]))
def test_arrow_reads_what_was_written(rows: list[pa.RecordBatch], compression: str) -> None:
    assert all(Form.of(kind) for kind in rows[0].schema.types)
    assert same(read(written(rows, compression=compression)), pa.Table.from_batches(rows))


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(batches({**KNOWN, **OTHERS}))
def test_columns_of_the_kernel_stand_beside_columns_of_arrow(rows: list[pa.RecordBatch]) -> None:
    # Parquet has no days in milliseconds: Arrow itself reads others.
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches(rows), sink)
    assert same(read(written(rows)), read(sink.getvalue()))


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(batches(KNOWN))
def test_the_footer_tells_what_the_one_of_arrow_tells(rows: list[pa.RecordBatch]) -> None:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_batches(rows)
    pq.write_table(table, sink)
    ours, arrows = (pq.read_metadata(pa.BufferReader(file)) for file in (written(rows), sink.getvalue()))
    assert ours.schema.equals(arrows.schema)
    assert ours.metadata == arrows.metadata
    assert (ours.num_rows, ours.num_columns) == (arrows.num_rows, arrows.num_columns)
    if not table.num_rows:
        return
    for place in range(len(table.schema)):
        one, other = (each.row_group(0).column(place) for each in (ours, arrows))
        assert (one.physical_type, one.num_values, one.path_in_schema) == (
            other.physical_type,
            other.num_values,
            other.path_in_schema,
        )
        assert repr(one.statistics.to_dict() | {"distinct_count": 0}) == repr(
            other.statistics.to_dict() | {"distinct_count": 0}
        )


def test_a_full_dictionary_is_kept_for_the_values_that_it_has() -> None:
    """Text that came often, and then text that is always another."""
    often = [f"{number % 1000:>100}" for number in range(100_000)]
    never_again = [f"{number:>100}" for number in range(50_000)]
    rows = [pa.record_batch({"a": often}), pa.record_batch({"a": [None, *never_again]})]
    file = written(rows, compression="none")
    assert read(file).equals(pa.Table.from_batches(rows))
    chunk = pq.read_metadata(pa.BufferReader(file)).row_group(0).column(0)
    assert chunk.has_dictionary_page
    assert chunk.total_compressed_size < 50_000 * 104 + (2 << 20)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([number * 7919 for number in range(400_000)]),
        pa.array([number / 3 for number in range(400_000)]),
        pa.array([f"{number}" for number in range(400_000)]),
    ],
    ids=["integers", "floats", "text"],
)
def test_values_that_never_come_again_have_no_dictionary(values: pa.Array) -> None:
    rows = [pa.record_batch({"a": values})]
    file = written(rows, compression="none")
    assert read(file).equals(pa.Table.from_batches(rows))
    assert not pq.read_metadata(pa.BufferReader(file)).row_group(0).column(0).has_dictionary_page


@pytest.mark.parametrize("distance", [1, 1 << 40], ids=["close", "far"])
@pytest.mark.parametrize("nulls", [None, 5, PAGE_ROWS], ids=["no nulls", "some", "long runs"])
def test_pages_begin_and_end_at_any_row(distance: int, nulls: int | None) -> None:
    values = [
        None if nulls and number // (nulls if nulls > 5 else 1) % 5 == 0 else (number * 31 // 7 % 1000) * distance
        for number in range(3 * PAGE_ROWS + 77)
    ]
    whole = pa.record_batch(
        {"a": pa.array(values), "b": pa.array([None if each is None else f"t{each}" for each in values])}
    )
    cuts = [0, 1, 63, 64, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 129, 2 * PAGE_ROWS, len(values)]
    rows = [whole.slice(start, end - start) for start, end in pairwise(cuts)]
    assert read(written(rows)).equals(pa.Table.from_batches(rows))


def test_one_value_may_be_longer_than_a_page() -> None:
    rows = [pa.record_batch({"a": ["x", "y" * (3 << 20), None, "z" * (2 << 20), "x"]})]
    assert read(written(rows)).equals(pa.Table.from_batches(rows))


def test_a_batch_of_more_rows_than_a_row_group_makes_several() -> None:
    rows = pa.record_batch({"a": pa.array(range(1_100_000), pa.int32()), "b": pa.array([[1]] * 1_100_000)})
    batches = sf.from_batches([rows]).rebatch(rows=rows.num_rows)
    file = pa.py_buffer(b"".join(batches.to_bytes("parquet")))
    assert read(file).equals(pa.Table.from_batches([rows]))
    metadata = pq.read_metadata(pa.BufferReader(file))
    counts = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
    assert counts == [1 << 20, rows.num_rows - (1 << 20)]


def test_a_flipped_bit_of_a_page_is_found() -> None:
    file = bytearray(written([pa.record_batch({"a": list(range(1000))})], compression="none").to_pybytes())
    file[600] ^= 4
    with pytest.raises(OSError, match="CRC"):
        read(pa.py_buffer(bytes(file)))


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.lists(TEXT | st.none(), max_size=30), min_size=1, max_size=3), st.integers(0, 9), st.booleans())
def test_text_may_come_as_dictionaries(batches: list[list[str | None]], skipped: int, one_plain: bool) -> None:
    """Each with values of its own, some of which no row has."""
    arrays = [pa.array([f"v{row}" for row in range(skipped)] + texts, pa.string()) for texts in batches]
    pieces = [array.dictionary_encode().slice(skipped) for array in arrays]
    if one_plain:
        pieces[0] = arrays[0].slice(skipped)
    assert decoded(pieces, pa.string()) == [each for texts in batches for each in texts]


def test_a_dictionary_of_text_may_be_too_large_to_be_kept() -> None:
    texts = [f"{row:>30}" for row in range(60_000)]
    assert decoded([pa.array(texts * 2).dictionary_encode()], pa.string()) == texts * 2


def test_an_index_without_a_value_is_refused() -> None:
    indices = pa.array([0, 5], pa.int32())
    broken = pa.DictionaryArray.from_arrays(indices, pa.array(["a"]), safe=False)
    with pytest.raises(pa.ArrowInvalid, match="indices"):
        decoded([broken], pa.string())


def test_text_stays_encoded_from_file_to_file(tmp_path: Path) -> None:
    """Through steps that hand it on; and what is written does not tell."""
    rows = pa.table({"a": [None, "x", "y", "x"] * 5000, "b": range(20_000), "c": ["u", "v"] * 10_000})
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=3000)
    frame = sf.read_parquet(tmp_path / "in.parquet").filter(sf.col("b") % 3 > 0).rename({"c": "d"})
    frame.to_parquet(tmp_path / "out.parquet")
    expected = rows.filter(pc.greater(pc.subtract(rows["b"], pc.multiply(pc.divide(rows["b"], 3), 3)), 0))
    assert pq.read_table(tmp_path / "out.parquet").equals(expected.rename_columns(["a", "b", "d"]))


def decoded(pieces: list[pa.Array], kind: pa.DataType) -> list[Any]:
    """Return what Arrow reads of a file whose one column was made of these arrays."""
    field = pa.field("a", kind)
    options = ChunkOptions("snappy", None, True, True, False, {})
    file = Pieces()
    writer = FileWriter(file, FileFrame(pa.schema([field]), {}, {}))
    writer.add(chunks_of(field, pieces, options))
    writer.end_row_group(sum(map(len, pieces)))
    writer.finish()
    found: list[Any] = read(pa.py_buffer(file.data))["a"].to_pylist()
    return found


class Pieces(AtomicFile):
    """A file in memory."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.data = b""

    def _write(self, data: memoryview) -> None:
        self.data += data

    def _commit(self) -> None:
        raise AssertionError

    def _abort(self) -> None:
        pass
