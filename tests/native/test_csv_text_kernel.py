"""The kernel that writes CSV writes what Arrow writes."""

from __future__ import annotations

import datetime as dt
import decimal

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.formats.csv.style import CsvStyle
from streamframe.formats.csv.writer import CsvWriter
from streamframe.native.text import CsvText
from tests.formats.scripted import text_of
from tests.native.test_csv_kernel import EXAMPLES

WHOLE = {
    kind: st.integers(-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)
    for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())
}
COUNTS = {kind: st.integers(0, 2**kind.bit_width - 1) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())}
TEXT = st.text(st.sampled_from('aé",\n\r\0') | st.characters(codec="utf-8"), max_size=30)
OTHERS = {
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.dictionary(pa.int8(), pa.string()): TEXT,
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),
    pa.time64("us"): st.times(),
    pa.decimal128(10, 2): st.integers(-(10**9), 10**9).map(lambda cents: decimal.Decimal(cents).scaleb(-2)),
    pa.duration("s"): st.timedeltas(dt.timedelta(0), dt.timedelta(1)).map(
        lambda each: dt.timedelta(seconds=each.seconds)
    ),
    pa.null(): st.none(),
}
VALUES = {**WHOLE, **COUNTS, **OTHERS}


@st.composite
def batch(draw: st.DrawFn) -> pa.RecordBatch:
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=2, max_size=6))
    rows, skipped = draw(st.integers(0, 20)), draw(st.integers(0, 9))
    arrays = []
    for kind in kinds:
        values = VALUES[kind] | st.none() if draw(st.booleans()) else VALUES[kind]
        drawn = draw(st.lists(values, min_size=rows, max_size=rows))
        arrays.append(pa.array([None] * skipped + drawn, kind).slice(skipped))
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{place}" for place in range(len(arrays))])


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(batch(), st.sampled_from(["needed", "all"]), st.sampled_from([",", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_it_writes_what_arrow_writes(data: pa.RecordBatch, quoting: str, sep: str, end: str) -> None:
    style = CsvStyle(sep=sep, quoting=quoting, line_terminator=end, na_rep="NULL")
    options = pacsv.WriteOptions(
        include_header=False,
        delimiter=sep,
        eol=end,
        quoting_style="needed" if quoting == "needed" else "all_valid",
        null_string="NULL",
    )
    sink = pa.BufferOutputStream()
    pacsv.write_csv(data, sink, options)
    assert text_of(CsvWriter(data.schema, style=style), data) == sink.getvalue().to_pybytes()


def test_integers_and_text_need_no_arrow() -> None:
    """Else the test above would say nothing; and there is less room than is needed, several times."""
    rows = 5000
    columns = [pa.array([-(2**63)] * rows), pa.array(['a"b' * (row % 50) for row in range(rows)])]
    made = CsvText(";", "'", "\r\n", "NA").of(columns, [False, True], [rows])
    assert made is not None
    assert b"".join(made) == b"".join(b"%d;'%s'\r\n" % (-(2**63), b'a"b' * (row % 50)) for row in range(rows))


def test_a_quote_of_another_kind_is_doubled() -> None:
    data = pa.RecordBatch.from_pydict({"a": ["it's", None, ""], "b": [1, 2, None]})
    assert text_of(CsvWriter(data.schema, style=CsvStyle(quotechar="'")), data) == b"'it''s',1\n,2\n'',\n"
