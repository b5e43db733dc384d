"""Work beside the consumer: in order, within its room, and gone when it is dropped."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamframe.runtime.budget import Budget
from streamframe.runtime.in_order import InOrder

LARGE = 1 << 20


@pytest.fixture
def budget():
    return Budget(16 * LARGE)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_results_are_put_in_order_however_long_each_takes(pool, budget):
    put = []
    line = InOrder(pool, budget.hold(), 4 * LARGE, put.append)
    second_is_done = threading.Event()

    def first():
        assert second_is_done.wait(10)
        return 1

    def second():
        second_is_done.set()
        return 2

    line.add(first, LARGE)
    line.add(second, LARGE)
    assert put == []
    line.finish()
    assert put == [1, 2]
    assert budget.held_bytes == 0


def test_who_gives_too_much_waits_for_the_oldest(pool, budget):
    put = []
    line = InOrder(pool, budget.hold(), 2 * LARGE, put.append)
    for number in range(5):
        line.add(lambda number=number: number, LARGE)
        assert budget.held_bytes <= 2 * LARGE
    assert put[:3] == [0, 1, 2]
    line.add(lambda: "larger than the room", 9 * LARGE)
    assert put == [0, 1, 2, 3, 4]
    line.finish()
    assert budget.peak_bytes == 9 * LARGE


def test_small_work_is_done_at_once_so_that_a_slow_source_keeps_nothing_back(pool, budget):
    put = []
    line = InOrder(pool, budget.hold(), LARGE, put.append)
    line.add(threading.current_thread, 10)
    assert put == [threading.current_thread()]


def test_work_that_depends_on_the_one_before_is_never_done_side_by_side(pool, budget):
    inside, worst = 0, 0

    def work():
        nonlocal inside, worst
        inside += 1
        worst = max(worst, inside)
        threading.Event().wait(0.001)
        inside -= 1

    lines = [InOrder(pool, budget.hold(), 99 * LARGE, lambda _: None, one_at_a_time=True) for _ in range(2)]
    for _ in range(20):
        lines[0].add(work, LARGE)
    lines[0].finish()
    assert worst == 1


def test_an_error_comes_in_its_turn_and_what_was_before_it_is_put(pool, budget):
    put = []
    line = InOrder(pool, budget.hold(), 99 * LARGE, put.append, one_at_a_time=True)
    line.add(lambda: 1, LARGE)
    line.add(lambda: 1 // 0, LARGE)
    line.add(lambda: 3, LARGE)
    with pytest.raises(ZeroDivisionError):
        line.finish()
    assert put == [1]
    line.abort()
    assert put == [1]
    assert budget.held_bytes == 0


@pytest.mark.parametrize("one_at_a_time", [False, True])
def test_what_has_not_begun_when_it_is_dropped_never_begins(budget, one_at_a_time):
    with ThreadPoolExecutor(1) as pool:
        began, go_on, done = threading.Event(), threading.Event(), []

        def first():
            began.set()
            assert go_on.wait(10)
            done.append(1)

        line = InOrder(pool, budget.hold(), 99 * LARGE, lambda _: None, one_at_a_time=one_at_a_time)
        line.add(first, LARGE)
        line.add(lambda: done.append(2), LARGE)
        assert began.wait(10)
        dropping = threading.Thread(target=line.abort)
        dropping.start()
        go_on.set()
        dropping.join(10)
        assert not dropping.is_alive()
    assert done == [1] or done == [1, 2]


def test_behind_what_has_failed_nothing_is_put(pool, budget):
    put = []
    line = InOrder(pool, budget.hold(), 8 * LARGE, put.append)
    line.add(lambda: 1, LARGE)
    line.add(lambda: 1 // 0, LARGE)
    line.add(lambda: 3, LARGE)
    for again in (line.finish, line.finish, line.put_done, lambda: line.add(lambda: 4, LARGE)):
        with pytest.raises(ZeroDivisionError):
            again()
    line.abort()
    assert put == [1]
