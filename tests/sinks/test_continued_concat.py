"""A run over several sources goes on only if none of them has changed, also of those that are read already."""

from __future__ import annotations

from pathlib import Path

import pytest

import streamframe as sf


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.csv" for name in "abc"]
    for number, path in enumerate(paths):
        path.write_text("x\n" + "".join(f"{number * 10 + row}\n" for row in range(5)))
    return paths


def plan(files: list[Path]) -> sf.StreamFrame:
    return sf.concat([sf.read_csv(path) for path in files])


def checkpoint_in(files: list[Path], batches: int) -> sf.Checkpoint:
    with plan(files).iter_batches() as made:
        for _ in range(batches):
            next(made)
        return made.checkpoint()


def test_a_source_that_was_read_before_may_not_have_changed(files: list[Path]) -> None:
    checkpoint = checkpoint_in(files, batches=3)
    files[0].write_text("x\n1\n2\n3\n4\n5\n6\n")
    with pytest.raises(sf.ResumeError, match=r"a\.csv"), plan(files).iter_batches(resume=checkpoint) as rest:
        next(rest)


def test_what_was_read_before_the_earlier_run_is_remembered(files: list[Path]) -> None:
    """The second run has read nothing of the first file, and its checkpoint knows it all the same."""
    with plan(files).iter_batches(resume=checkpoint_in(files, batches=1)) as rest:
        next(rest)
        checkpoint = rest.checkpoint()
    files[0].write_text("x\n1\n")
    with pytest.raises(sf.ResumeError, match=r"a\.csv"), plan(files).iter_batches(resume=checkpoint) as rest:
        next(rest)


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_unchanged_sources_go_on(files: list[Path], batches: int) -> None:
    with plan(files).iter_batches(resume=checkpoint_in(files, batches).to_json()) as rest:
        rows = [row for batch in rest for row in batch["x"].to_pylist()]
    assert rows == [number * 10 + row for number in range(batches, 3) for row in range(5)]
