"""A shuffle loses and repeats nothing, mixes each window well, and keeps to the budget."""

from __future__ import annotations

import pytest

import streamframe as sf

ROWS = 100_000


def ids(frame):
    return frame.to_arrow()["n"].to_pylist()


@pytest.fixture
def frame():
    return sf.from_arrow({"n": range(ROWS)})


def test_rows_change_places_within_their_window(frame):
    found = ids(frame.shuffle(10_000))
    for start in range(0, ROWS, 10_000):
        window = found[start : start + 10_000]
        assert sorted(window) == list(range(start, start + 10_000))
        moved = sum(abs(number - place) for place, number in enumerate(window, start)) / 10_000
        # A third of the window, as for any two numbers that are drawn from it.
        assert 3_100 < moved < 3_600


def test_the_order_is_the_same_however_the_rows_come_in_batches(frame):
    wanted = ids(frame.shuffle(3_000, seed=5))
    assert ids(frame.rebatch(rows=997).shuffle(3_000, seed=5)) == wanted
    assert ids(frame.shuffle(3_000, seed=6)) != wanted


def test_fewer_rows_than_a_window_are_one(frame):
    found = ids(frame.limit(500).shuffle())
    assert found != sorted(found) == list(range(500))


def test_a_limit_above_takes_the_first_of_the_shuffled_rows(frame):
    assert ids(frame.shuffle(1_000).limit(10)) == ids(frame.shuffle(1_000))[:10]


def test_a_window_that_does_not_fit_says_what_to_do(frame):
    with sf.options(memory="1MB"), pytest.raises(sf.BudgetError, match=r"shuffle(.|\n)*fewer rows at a time"):
        ids(frame.shuffle())


def test_no_row_at_all_is_no_window(frame):
    with pytest.raises(sf.PlanError, match=">= 1"):
        frame.shuffle(0)
