"""What is inside of quotes, 64 bytes at once, is what it is byte by byte."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamframe.formats.csv.cutter import inside_quotes
from streamframe.formats.csv.dialect import Dialect


def byte_by_byte(data: bytes, sep: bytes, quote: bytes) -> list[bool] | None:
    """The same by the words of the definition: after each byte, are we inside? None if quotes are not well-formed."""
    beside = sep + quote + b"\r\n"
    inside, found = False, []
    for at, byte in enumerate(data):
        if byte == quote[0]:
            neighbour = data[at + 1 : at + 2] if inside else data[max(at - 1, 0) : at]
            if neighbour and neighbour not in beside:
                return None
            inside = not inside
        found.append(inside)
    return found


def as_bits(words, count):
    return None if words is None else [bool(int(words[at // 64]) >> at % 64 & 1) for at in range(count)]


@given(
    st.text("ab\",;\n\r'", max_size=300), st.integers(0, 3), st.sampled_from([",", ";"]), st.sampled_from(['"', "'"])
)
def test_any_bytes(text, start, sep, quote):
    data = bytearray(b"x" * start + text.encode() + b'"')
    found = inside_quotes(Dialect(sep=sep, quotechar=quote), data, start, len(data) - 1)
    assert as_bits(found, len(text)) == byte_by_byte(text.encode(), sep.encode(), quote.encode())


FIELDS = ["", "a", '"a"', '"a,b"', '"a\nb"', '""""', '"say ""a"""', '""', "x" * 70, '"' + "y\n" * 50 + '"']


@given(
    st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(",\n")), max_size=60), st.sampled_from(["", '"', 'a"b'])
)
def test_fields_that_are_well_formed_and_one_that_is_not(fields, last):
    data = "".join(field + end for field, end in fields).encode() + last.encode()
    found = inside_quotes(Dialect(), bytearray(data), 0, len(data))
    assert as_bits(found, len(data)) == byte_by_byte(data, b",", b'"')


@pytest.mark.parametrize("stray", [None, 5, 262_143, 262_144, 299_999])
def test_more_than_a_piece(stray):
    random_ = random.Random(1)
    data = bytearray()
    while len(data) < 300_000:
        data += random_.choice(FIELDS[:8]).encode() + random_.choice([b",", b"\n"])
    del data[300_000:]
    if stray is not None:
        data[stray - 1 : stray + 2] = b'a"a'
    found = inside_quotes(Dialect(), data, 0, len(data))
    expected = byte_by_byte(bytes(data), b",", b'"')
    assert as_bits(found, len(data)) == expected
    assert (expected is None) == (stray is not None)
