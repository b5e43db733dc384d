"""The budget: who waits, who never does, and that a stop wakes everybody."""

import threading

import pytest

from streamframe.runtime.budget import Budget, Closed


def in_thread(work):
    """Run `work` in a thread that must end; return the thread and what it raised."""
    raised = []

    def call():
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    return thread, raised


def test_a_block_waits_until_the_one_before_it_is_released():
    flow = Budget(100).flow()
    flow.acquire(60)
    admitted = threading.Event()
    thread, _ = in_thread(lambda: (flow.acquire(40), admitted.set()))
    assert not admitted.wait(0.05)
    flow.adjust(-60)
    assert admitted.wait(5)
    thread.join(5)


def test_a_block_larger_than_the_whole_budget_passes_alone():
    budget = Budget(100)
    budget.flow().acquire(1_000)
    assert budget.held_bytes == 1_000


def test_bytes_kept_by_a_step_do_not_stop_the_block_that_would_free_them():
    budget = Budget(100)
    budget.hold().resize(500)
    flow = budget.flow()
    flow.acquire(50)
    assert budget.held_bytes == 550


def test_kept_bytes_hold_back_a_second_block():
    budget = Budget(100)
    kept, flow = budget.hold(), budget.flow()
    kept.resize(20)
    flow.acquire(20)
    admitted = threading.Event()
    thread, _ = in_thread(lambda: (flow.acquire(20), admitted.set()))
    assert not admitted.wait(0.05)
    kept.resize(0)
    assert admitted.wait(5)
    thread.join(5)


def test_closing_a_flow_wakes_its_reader_and_releases_what_was_on_its_way():
    budget = Budget(100)
    flow = budget.flow()
    flow.acquire(90)
    thread, raised = in_thread(lambda: flow.acquire(90))
    flow.close()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(raised[0], Closed)
    assert budget.held_bytes == 0


def test_closing_one_flow_leaves_another_open():
    budget = Budget(100)
    first, second = budget.flow(), budget.flow()
    first.acquire(50)
    first.close()
    second.acquire(100)
    assert budget.held_bytes == 100


def test_a_block_that_comes_back_after_the_stop_changes_nothing():
    budget = Budget(100)
    flow = budget.flow()
    flow.acquire(50)
    flow.close()
    flow.adjust(-20)
    assert budget.held_bytes == 0


@pytest.mark.parametrize("charges", [(10, 15, 20), (40, 1, 1)])
def test_the_peak_is_the_most_that_was_held_at_once(charges):
    budget = Budget(100)
    flow = budget.flow()
    for nbytes in charges:
        flow.acquire(nbytes)
    flow.adjust(-sum(charges))
    assert budget.peak_bytes == sum(charges)
