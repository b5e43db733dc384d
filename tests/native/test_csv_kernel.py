"""The CSV kernel makes what Arrow makes, to the bit, or says that it is not sure.

KERNEL_EXAMPLES=10000 in the environment looks at so many blocks (a few minutes).
"""

from __future__ import annotations

import ctypes
import datetime as dt
import math
import os
import random
import struct

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamframe.formats.csv.cutter import inside_quotes
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.kernel import Kernel, end_of_records
from streamframe.formats.csv.spelling import Spelling
from streamframe.formats.records import Piece
from streamframe.native.kernels import library

EXAMPLES = int(os.environ.get("KERNEL_EXAMPLES", "300"))
TYPES = {
    "int8": pa.int8(),
    "int64": pa.int64(),
    "uint16": pa.uint16(),
    "uint64": pa.uint64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "seconds": pa.timestamp("s"),
    "millis": pa.timestamp("ms"),
    "zoned": pa.timestamp("ns", "UTC"),
}
ODD = [
    "",
    "NA",
    "nan",
    "-nan",
    "null",
    "-0",
    "007",
    "+1",
    " 1",
    "1 ",
    "0x10",
    "1e3",
    "-",
    ".",
    "é",
    "\udcff",
    "a\0b",
    "#N/A",
]
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-300, 300).map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
)
TIMES = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat(" ")),
    st.datetimes().map(lambda moment: moment.isoformat("T", "seconds")),
    st.dates().map(str),
    st.from_regex(
        r"[0-9]{4}-[0-3][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,10})?)?", fullmatch=True
    ),
).flatmap(lambda text: st.sampled_from([text, text + "Z", text + "+01:00"]))
PLAIN = {
    **dict.fromkeys(("int8", "int64", "uint16", "uint64", "double"), NUMBERS),
    **dict.fromkeys(("date", "seconds", "millis", "zoned"), TIMES),
    "bool": st.sampled_from(["true", "False", "1", "0", "TRUE", "yes", "f"]),
    "text": st.text(st.characters(exclude_characters=',"\r\n\0', codec="utf-8"), max_size=40),
}


# Mostly of the type: one value that is not makes the kernel give up a block.
NICE = {
    "int8": st.integers(-128, 127).map(str),
    "int64": st.integers(-(10**18), 10**18).map(str),
    "uint16": st.integers(0, 65535).map(str),
    "uint64": st.integers(0, 10**18).map(str),
    "double": st.floats(-1e9, 1e9).map(lambda value: f"{value:.6f}"),
    "bool": st.sampled_from(["true", "False", "1", "0"]),
    "text": PLAIN["text"],
    "date": st.dates().map(str),
    "seconds": st.datetimes().map(lambda moment: moment.isoformat("T", "seconds")),
    "millis": st.datetimes().map(lambda moment: moment.isoformat(" ", "milliseconds")),
    "zoned": st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)).map(lambda moment: f"{moment}Z"),
}


@st.composite
def field(draw: st.DrawFn, kind: str, nice: int) -> str:
    """Return a value; of so many, one is not nice."""
    if draw(st.integers(0, nice)):
        value = draw(NICE[kind])
        return value if draw(st.integers(0, 3)) else f'"{value}"'
    value = draw(st.one_of(PLAIN[kind], PLAIN[kind], st.sampled_from(ODD)))
    how = draw(st.sampled_from(["as it is"] * 6 + ["quoted", "several lines", "stray"]))
    if how == "quoted":
        return f'"{value}"'
    if how == "several lines":
        return '"' + value + '""\r,\n"'
    return draw(st.sampled_from(['"', 'a"b', '"a"b', "\r"])) if how == "stray" else value


@st.composite
def block(draw: st.DrawFn) -> tuple[tuple[str, ...], bytes]:
    kinds = tuple(draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=5, unique=True)))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    nice = draw(st.sampled_from([1, 10, 100]))
    rows = draw(st.lists(st.tuples(*(field(kind, nice) for kind in kinds)), min_size=1, max_size=20))
    text = newline.join(",".join(row) for row in rows) + draw(st.sampled_from([newline, ""]))
    return kinds, text.encode("utf-8", "surrogateescape") * draw(st.sampled_from([1, 1, 1, 40]))


def by_kernel(
    data: bytes, names: tuple[str, ...], schema: pa.Schema, exact: tuple[str, ...] = ()
) -> pa.RecordBatch | None:
    kernel = Kernel.of(Dialect(), names, schema, Spelling().options({}).null_values, exact)
    assert kernel
    return kernel.batch(Piece(bytearray(b"xyz" + data), 3, 3 + len(data), 0))


def by_arrow(data: bytes, names: tuple[str, ...], schema: pa.Schema) -> pa.Table:
    return pacsv.read_csv(
        pa.BufferReader(data),
        read_options=pacsv.ReadOptions(use_threads=False, column_names=list(names), block_size=len(data) + 1),
        parse_options=Dialect().arrow,
        convert_options=Spelling().options(
            dict(zip(schema.names, schema.types, strict=True)), include_columns=schema.names
        ),
    )


def bits(column: pa.ChunkedArray | pa.Array) -> list[object]:
    """Return values in which no two floats are equal that have other bits."""
    values = column.to_pylist() if not pa.types.is_timestamp(column.type) else column.cast(pa.int64()).to_pylist()
    return [struct.pack("d", value) if isinstance(value, float) else value for value in values]


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(block(), st.data())
@example((("text", "text2"), b'"",'), None)
@example((("int64",), b"1\n\n2\n"), None)
@example((("double",), b"18446744073709551616\n"), None)
@example((("text",), b'"a""b\n\r\n",\n'), None)
def test_it_makes_what_arrow_makes_or_is_not_sure(
    block: tuple[tuple[str, ...], bytes], data: st.DataObject | None
) -> None:
    names, text = block
    wanted = list(names) if data is None else data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    schema = pa.schema([(name, TYPES.get(name, pa.string())) for name in wanted])
    made = by_kernel(text, names, schema)
    if made is None:
        return
    made.validate(full=True)
    expected = by_arrow(text, names, schema)
    for name in wanted:
        assert bits(made.column(name)) == bits(expected.column(name))


@pytest.mark.slow
@pytest.mark.parametrize("odd", ['"x"y', '"x""y"', 'x"', '"x\ry"', "x\ry", '"x,\n"', "é", "\udcff", '""', '"x" '])
def test_what_is_odd_is_seen_wherever_it_stands_among_64_bytes(odd: str) -> None:
    names = ("a", "b", "c")
    schema = pa.schema([(name, pa.string()) for name in names])
    for place in range(130):
        for newline in ("\n", "\r\n"):
            text = f"1,2,3{newline}{'x' * place},{odd},z{newline}4,5,6{newline}".encode("utf-8", "surrogateescape")
            made = by_kernel(text, names, schema)
            try:
                expected = by_arrow(text, names, schema)
            except pa.ArrowInvalid:
                assert made is None, (place, newline)
            else:
                assert made is None or made.to_pylist() == expected.to_pylist(), (place, newline)


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        (("text", "int64"), "1,2,3\n4\n"),
        (("text", "int64"), "1\n2,3,4\n"),
        (("date",), "2023-02-29"),
        (("date",), "1900-02-29"),
        (("date",), "2024-04-31"),
        (("date",), "2024-13-01"),
        (("seconds",), "2024-02-30 00:00:00"),
        (("seconds",), "2024-02-29 24:00:00"),
        (("int8",), "128"),
        (("uint16",), "-1"),
    ],
)
def test_what_arrow_refuses_is_left_to_arrow(kinds: tuple[str, ...], text: str) -> None:
    schema = pa.schema([(kind, TYPES[kind]) for kind in kinds])
    with pytest.raises(pa.ArrowInvalid):
        by_arrow(text.encode(), kinds, schema)
    assert by_kernel(text.encode(), kinds, schema) is None


def test_it_is_sure_of_ordinary_text() -> None:
    """Else the test above would say nothing."""
    text = (
        '1,-7,"a, ""b""\nc",2.5,2024-02-29,2024-02-29 23:59:59.123Z,true\r\n'
        ',NA,,1e-7,,2024-02-29T23:59:59Z,False\r\nüö,,"",-0.1,NULL,,0'
    )
    schema = pa.schema([("g", pa.string()), ("b", pa.int16()), ("t", pa.string()), ("x", pa.float64())])
    schema = pa.unify_schemas(
        [schema, pa.schema([("d", pa.date32()), ("z", pa.timestamp("us", "UTC")), ("y", pa.bool_())])]
    )
    made = by_kernel(text.encode(), tuple(schema.names), schema)
    assert made is not None
    assert pa.Table.from_batches([made]).equals(by_arrow(text.encode(), tuple(schema.names), schema))


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("9007199254740992", True),
        ("18014398509481984", True),
        ("1.8e300", True),
        ("1801439850948198.7", True),
        ("18014398509481987", False),
        ("-18014398509481987", False),
        ('"9999999999999999999"', False),
    ],
)
def test_whole_numbers_that_floats_would_round_are_left_to_arrow_where_they_are_not_asked_for(
    text: str, sure: bool
) -> None:
    schema = pa.schema({"x": pa.float64(), "y": pa.float64()})
    data = f"1.5,18014398509481987\n{text},1\n".encode()
    # None of them is halfway between two floats: those are always left to Arrow.
    assert (by_kernel(data, ("x", "y"), schema, exact=("x",)) is not None) == sure
    assert by_kernel(data, ("x", "y"), schema) is not None


@pytest.mark.slow
@pytest.mark.parametrize("digits", [5, 15, 16, 17, 18, 19])
def test_floats_are_rounded_as_python_rounds_them(digits: int) -> None:
    """Python's `float` is correctly rounded; whatever is too close to call must be left to Arrow."""
    random_ = random.Random(digits)
    texts = [f"{random_.randrange(10**digits)}e{random_.randint(-330, 300)}" for _ in range(20_000)]
    texts += [f"{random_.uniform(-1e6, 1e6):.{digits}g}" for _ in range(20_000)]
    schema = pa.schema([("x", pa.float64())])
    sure = 0
    for text in texts:
        value = float(text)
        # Below these floats lose bits, above there are none.
        if value and not 1e-300 < abs(value) < math.inf:
            continue
        made = by_kernel(text.encode(), ("x",), schema)
        if made is not None:
            sure += 1
            assert made.column(0)[0].as_py() == value, text
    assert sure > 30_000


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.sampled_from(['"', ",", "\n", "a" * 63, "b", '""', '","', "\n" * 5]), max_size=40).map("".join))
def test_the_end_of_records_is_that_of_counted_quotes(text: str) -> None:
    data = bytearray(text.encode())
    end = end_of_records(Dialect(), data, 0, len(data))
    inside = inside_quotes(Dialect(), data, 0, len(data))
    if inside is None:
        assert end is None
    else:
        ends = [
            at
            for at in range(1, len(data) + 1)
            if data[at - 1] == ord("\n") and not int(inside[(at - 1) // 64]) >> (at - 1) % 64 & 1
        ]
        assert end == max(ends, default=0)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(
        st.sampled_from(['"', ",", "\n", "\r", "\r\n", "a" * 63, "b", '""', '","', '"\n', "\n" * 5]), max_size=60
    ).map("".join)
)
def test_the_end_of_records_is_the_same_however_wide_the_processor(text: str) -> None:
    data = text.encode()
    kernels = library()
    assert kernels
    # By its name: what is called otherwise is the widest.
    narrow = kernels["sf_csv_end_of_records"]
    narrow.restype, narrow.argtypes = ctypes.c_int64, kernels.sf_csv_end_of_records.argtypes
    dialect = (ctypes.c_int32 * 2)(ord(","), ord('"'))
    ends = [function(data, len(data), dialect) for function in (narrow, kernels.sf_csv_end_of_records)]
    assert ends[0] == ends[1]


def test_a_kernel_that_is_never_sure_is_asked_no_more() -> None:
    kernel = Kernel.of(Dialect(), ("a",), pa.schema([("a", pa.int64())]), [])
    assert kernel
    refused, read = bytearray(b"+1\n"), bytearray(b"1\n")
    assert kernel.batch(Piece(read, 0, len(read), 0)) is not None
    for _ in range(20):
        assert kernel.batch(Piece(refused, 0, len(refused), 0)) is None
    assert kernel.batch(Piece(read, 0, len(read), 0)) is None
