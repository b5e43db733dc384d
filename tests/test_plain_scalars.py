"""Plain scalars are those of pyarrow."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamframe.expr.plain_scalars import plain_scalar


@given(st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text())
def test_a_plain_value_becomes_what_pyarrow_makes_of_it(value):
    made = plain_scalar(value)
    assert made.equals(pa.scalar(value))
    made.validate(full=True)


@pytest.mark.parametrize("value", [None, 1 << 63, -(1 << 63) - 1, b"a", datetime.date(2020, 1, 1), "\ud800", [1]])
def test_all_else_is_left_to_pyarrow(value):
    assert plain_scalar(value) is None
