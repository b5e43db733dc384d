"""The NDJSON kernel makes what Arrow makes, to the bit, or says that it is not sure.

KERNEL_EXAMPLES=10000 in the environment looks at so many blocks (a few minutes).
"""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamframe.formats.ndjson.kernel import Kernel
from streamframe.formats.ndjson.parsing import parsed
from streamframe.formats.records import Piece
from tests.native.test_csv_kernel import EXAMPLES, NICE, NUMBERS, TIMES, TYPES, bits

NO_VALUES = ["01", "1.", ".5", "+1", "NaN", "nul", '"', "[1]", "{}", '"\t"', '"\udcff"', r'"\ud83d"', r'"\x"']
VALUES = ["null", "true", "false", "1", "-0", "-0.0", "1e5", '""', '"NA"']
ESCAPES = [r'"\ud83d\ude00"', r'"\u0000"', r'"a\"b\\"', r'"\/\b\f\n\r\té"']
ODD = st.sampled_from([*NO_VALUES, *VALUES, *ESCAPES])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PLAIN = {
    **dict.fromkeys(("int8", "int64", "uint16", "uint64"), st.integers(-300, 300).map(str) | NUMBERS),
    "double": NUMBERS,
    **dict.fromkeys(("date", "seconds", "millis", "zoned"), TIMES.map(json.dumps)),
    "bool": st.sampled_from(["true", "false"]),
    "text": st.builds(json.dumps, st.text(max_size=40), ensure_ascii=st.booleans()),
}


# Mostly of the type: one value that is not makes the kernel give up a block.
NICE_JSON = {
    name: values.map(json.dumps) if name in ("date", "seconds", "millis", "zoned") else values
    for name, values in NICE.items()
} | {"bool": st.sampled_from(["true", "false"]), "text": PLAIN["text"]}


@st.composite
def record(draw: st.DrawFn, names: tuple[str, ...], nice: int) -> str:
    """Return a record; of so many values, one is not nice."""
    blank = draw(st.sampled_from(["", "", " ", "\t"]))
    values = [NICE_JSON[name] if draw(st.integers(0, nice)) else PLAIN[name] | ODD for name in names]
    fields = [(name, draw(value)) for name, value in zip(names, values, strict=True)]
    if draw(st.integers(0, 3)) == 0:
        fields = draw(st.permutations(fields))[: draw(st.integers(0, len(fields)))]
    if draw(st.integers(0, 3)) == 0:
        fields.insert(draw(st.integers(0, len(fields))), ("other", json.dumps(draw(JSON))))
    if fields and draw(st.integers(0, 9 * nice)) == 0:
        fields.append(fields[0])
    return "{" + ",".join(f'{blank}"{name}"{blank}:{value}{blank}' for name, value in fields) + "}"


@st.composite
def block(draw: st.DrawFn) -> tuple[tuple[str, ...], bytes]:
    names = tuple(draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=5, unique=True)))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    nice = draw(st.sampled_from([1, 10, 100]))
    text = newline.join(draw(st.lists(record(names, nice), min_size=1, max_size=20))) + newline
    return names, text.encode("utf-8", "surrogateescape") * draw(st.sampled_from([1, 1, 1, 40]))


def by_kernel(data: bytes, schema: pa.Schema, *, strict: bool) -> pa.RecordBatch | None:
    kernel = Kernel.of(schema, strict=strict)
    assert kernel
    return kernel.batch(Piece(bytearray(b"xyz" + data), 3, 3 + len(data), 0))


def by_arrow(data: bytes, schema: pa.Schema, *, strict: bool) -> pa.RecordBatch:
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    return parsed(pa.py_buffer(data), lines, schema, schema, unexpected="error" if strict else "ignore")


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(block(), st.booleans(), st.data())
@example((("int64",), b'{"int64":1,"int64":2}\n'), True, None)
@example((("text",), b'{"text":"\\ud800"}\n'), True, None)
@example((("text",), b'{"text":"\\udc00\\udc00"}\n'), True, None)
def test_it_makes_what_arrow_makes_or_is_not_sure(
    block: tuple[tuple[str, ...], bytes], strict: bool, data: st.DataObject | None
) -> None:
    names, text = block
    wanted = (
        list(names) if strict or data is None else data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    )
    schema = pa.schema([(name, TYPES[name]) for name in wanted])
    made = by_kernel(text, schema, strict=strict)
    if made is None:
        return
    made.validate(full=True)
    expected = by_arrow(text, schema, strict=strict)
    assert made.num_rows == expected.num_rows
    for name in wanted:
        assert bits(made.column(name)) == bits(expected.column(name))


@pytest.mark.parametrize("value", ["01", "-01", "00", ".5", "+1", "NaN", "nul", '"', '"\t"', r'"\x"'])
def test_what_is_no_json_is_left_to_arrow(value: str) -> None:
    text = f'{{"int64":1,"other":{value}}}\n'.encode("utf-8", "surrogateescape")
    assert by_kernel(text, pa.schema([("int64", pa.int64())]), strict=False) is None
    text = f'{{"int64":{value}}}\n'.encode("utf-8", "surrogateescape")
    assert by_kernel(text, pa.schema([("int64", pa.int64())]), strict=True) is None


@pytest.mark.parametrize("strict", [True, False])
def test_it_is_sure_of_ordinary_lines(strict: bool) -> None:
    """Else the test above would say nothing."""
    text = (
        '{"a":1,"x":2.5,"t":"é \\u00e9 \\ud83d\\ude00 \\"q\\"","b":true,"z":"2024-02-29T23:59:59Z"}\r\n'
        '{"x":-1e-7,"a":-7,"t":null}\n{}\n{ "z" : "2024-02-29 00:00:00.5Z" , "b":false}'
    )
    if not strict:
        text += '\n{"a":5,"other":{"a":[1,{"x":"\\n"}]},"more":[]}'
    schema = pa.schema(
        [
            ("a", pa.int16()),
            ("x", pa.float64()),
            ("t", pa.string()),
            ("b", pa.bool_()),
            ("z", pa.timestamp("ms", "UTC")),
        ]
    )
    made = by_kernel(text.encode(), schema, strict=strict)
    assert made is not None
    assert made.equals(by_arrow(text.encode(), schema, strict=strict))


def test_more_text_than_was_foreseen_is_read_all_the_same() -> None:
    """The record in which room runs out is read again, and its nulls are counted once."""
    rows = [{"n": None, "short": "x", "long": "y" * (row * 37 % 5000), "b": row % 3 == 0} for row in range(2000)]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    schema = pa.schema([("n", pa.int64()), ("short", pa.string()), ("long", pa.string()), ("b", pa.bool_())])
    made = by_kernel(text, schema, strict=True)
    assert made is not None
    made.validate(full=True)
    assert made.to_pylist() == rows
    assert made.column("n").null_count == 2000
