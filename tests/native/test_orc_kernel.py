"""The kernel adds up runs of integers as Python does, or says no."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.formats.orc.run_lengths import Totals, totals_in_python
from streamframe.native.orc import run_totals
from tests.formats.scripted import varint

EXAMPLES = int(os.environ.get("KERNEL_EXAMPLES", "300"))


def packed(values, width):
    bits = "".join(f"{value:0{width}b}" for value in values)
    return bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))


@st.composite
def runs(draw):
    """Return a run, and the values that are in it."""
    kind = draw(st.sampled_from(["repeat", "direct", "even", "delta"]))
    width = draw(st.sampled_from([*range(2, 25), 26, 28, 30, 32]))
    code = width - 1 if width <= 24 else 24 + (26, 28, 30, 32).index(width)
    numbers = st.integers(0, (1 << width) - 1)
    if kind == "repeat":
        count, value = draw(st.integers(3, 10)), draw(numbers)
        return bytes([3 << 3 | count - 3]) + value.to_bytes(4, "big"), [value] * count
    count = draw(st.integers(2, 512))
    head = bytes([count - 1 >> 8, count - 1 & 255])
    if kind == "direct":
        values = draw(st.lists(numbers, min_size=count, max_size=count))
        return bytes([1 << 6 | code << 1 | head[0], head[1]]) + packed(values, width), values
    base, step = draw(numbers), draw(st.integers(-(1 << 31), 1 << 31))
    start = varint(base) + varint(2 * step if step >= 0 else -2 * step - 1)
    if kind == "even":
        return bytes([3 << 6 | head[0], head[1]]) + start, [base + step * place for place in range(count)]
    steps = draw(st.lists(numbers, min_size=count - 2, max_size=count - 2))
    values = [base, base + step]
    for each in steps:
        values.append(values[-1] + (each if step >= 0 else -each))
    return bytes([3 << 6 | code << 1 | head[0], head[1]]) + start + packed(steps, width), values


@pytest.mark.slow
@given(st.lists(runs(), max_size=5))
@settings(max_examples=EXAMPLES)
def test_the_sums_are_those_of_the_values(made):
    data = b"".join(run for run, _ in made)
    values = [value for _, each in made for value in each]
    expected = Totals(len(values), sum(values), min([0, *values]))
    assert run_totals(data) == expected
    assert totals_in_python(data) == expected


@given(st.binary(max_size=60))
@settings(max_examples=EXAMPLES)
def test_of_any_bytes_the_kernel_says_what_python_says_or_no(data):
    found = run_totals(data)
    if found is not None:
        assert totals_in_python(data) == found


@pytest.mark.parametrize(
    "data", ["0a27", "5e", "5e035ca1ab1edeadbe", "c609", "c60902", "c6090202224242", "38" + "ff" * 8]
)
def test_what_is_cut_or_wide_is_not_for_the_kernel(data):
    assert run_totals(bytes.fromhex(data)) is None
