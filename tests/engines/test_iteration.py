"""What ends an iteration, and where it then says it is."""

from __future__ import annotations

import threading

import pytest

import streamframe as sf
from streamframe.engines.iteration import Iteration

ROWS = 200_000


class Unfolding:
    """Hands a batch on as it is, but for one."""

    def __init__(self, fails_at: int, failure: BaseException) -> None:
        self._left = fails_at
        self._failure = failure

    def __call__(self, batch):
        self._left -= 1
        if self._left == 0:
            raise self._failure
        return (batch,)


@pytest.fixture
def frame(tmp_path):
    (tmp_path / "a.csv").write_text("n\n" + "\n".join(map(str, range(ROWS))))
    return sf.read_csv(tmp_path / "a.csv").rebatch(rows=1000)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OverflowError("a date that pandas cannot hold")])
@pytest.mark.parametrize("fails_at", [1, 3])
def test_a_batch_that_cannot_be_handed_over_ends_the_run_there(frame, failure, fails_at):
    """Threads stayed; the next batch came as if nothing had happened; a checkpoint lay behind rows nobody had seen."""
    iteration = Iteration(frame._plan, Unfolding(fails_at, failure))
    rows = sum(next(iteration).num_rows for _ in range(fails_at - 1))
    with pytest.raises(type(failure)) as raised:
        next(iteration)
    assert raised.value is failure  # which, by its traceback, holds on to the iteration
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("streamframe")]
    with pytest.raises((type(failure), StopIteration)):
        next(iteration)
    after = frame.iter_batches(resume=iteration.checkpoint())
    assert [n for batch in after for n in batch["n"].to_pylist()] == list(range(rows, ROWS))
