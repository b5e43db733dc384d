"""A sample is of the size that was asked for, even, and always the same."""

from __future__ import annotations

import pytest

import streamframe as sf

ROWS = 100_000


def ids(frame):
    return frame.to_arrow()["n"].to_pylist()


@pytest.fixture
def frame():
    return sf.from_arrow({"n": range(ROWS)})


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.999])
def test_a_sample_is_of_the_size_that_was_asked_for_in_every_part(frame, fraction):
    found = ids(frame.sample(fraction))
    assert found == sorted(set(found))
    for start in range(0, ROWS, 20_000):
        part = sum(start <= number < start + 20_000 for number in found)
        # Five standard deviations.
        assert abs(part - 20_000 * fraction) <= 5 * (20_000 * fraction * (1 - fraction)) ** 0.5


def test_all_or_none_may_be_asked_for(frame):
    assert ids(frame.sample(1)) == list(range(ROWS))
    assert ids(frame.sample(0)) == []


def test_it_is_the_same_however_the_rows_come_in_batches(frame):
    wanted = ids(frame.sample(0.1, seed=5))
    assert ids(frame.rebatch(rows=997).sample(0.1, seed=5)) == wanted
    assert ids(frame.rebatch(rows=13).sample(0.1, seed=5)) == wanted


def test_another_seed_keeps_other_rows_and_smaller_samples_lie_in_larger_ones(frame):
    one, other = set(ids(frame.sample(0.5, seed=1))), set(ids(frame.sample(0.5, seed=2)))
    assert 0.2 < len(one & other) / ROWS < 0.3
    assert set(ids(frame.sample(0.1, seed=1))) <= one


def test_a_filter_above_stays_above_as_it_would_change_the_numbers(frame):
    wanted = [number for number in ids(frame.sample(0.1)) if number % 2]
    assert ids(frame.sample(0.1).filter(sf.col("n") % 2 == 1)) == wanted


@pytest.mark.parametrize("fraction", [-0.1, 1.1, True, "0.5", None, float("nan")])
def test_a_fraction_that_is_none_is_refused(frame, fraction):
    with pytest.raises(sf.PlanError, match="from 0 to 1"):
        frame.sample(fraction)
