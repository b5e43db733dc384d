"""Plain values are those of pyarrow."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamframe.plain_values import numbers_of, plain_array, plain_scalar, plain_texts


@given(st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text())
def test_a_plain_value_becomes_what_pyarrow_makes_of_it(value):
    made = plain_scalar(value)
    assert made.equals(pa.scalar(value))
    made.validate(full=True)


@pytest.mark.parametrize("value", [None, 1 << 63, -(1 << 63) - 1, b"a", datetime.date(2020, 1, 1), "\ud800", [1]])
def test_all_else_is_left_to_pyarrow(value):
    assert plain_scalar(value) is None


@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "int64", "float32", "float64", "bool"])
def test_an_array_of_numbers_is_what_pyarrow_makes_of_it(kind):
    numbers = (np.arange(100) % 7 * 3).astype(kind)
    nothing = np.arange(100) % 3 == 1
    for some in (slice(None), slice(5, 71), slice(None, None, 2), slice(0, 0)):
        made = plain_array(numbers[some]), plain_array(numbers[some], nothing[some])
        assert made[0].equals(pa.array(numbers[some]))
        assert made[1].equals(pa.array(numbers[some], mask=nothing[some]))
        for each in made:
            each.validate(full=True)
        if kind != "bool":
            assert (numbers_of(made[0].slice(3, 20)) == numbers[some][3:23]).all()


@given(st.lists(st.text()))
def test_texts_are_what_pyarrow_makes_of_them(texts):
    try:
        assert plain_texts(texts).equals(pa.array(texts, pa.string()))
    except UnicodeEncodeError:
        assert any("\ud800" <= char <= "\udfff" for text in texts for char in text)
