"""Of two exports into one directory of a store, the later one fails, and nothing of either is lost or left."""

from __future__ import annotations

import json

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import streamframe as sf
from tests.contract.parts import table


class NoPromise(MemoryFileSystem):
    """A store whose conditional writes are refused."""

    cachable = False

    def pipe_file(self, path, value, mode="overwrite", **options):
        if mode == "create":
            raise OSError("A header you provided implies functionality that is not implemented")
        super().pipe_file(path, value, mode, **options)


class Target:
    """A path on a filesystem of its own, as UPath is one."""

    def __init__(self, fs):
        self.fs, self.path = fs, "/out"


@pytest.fixture(params=[MemoryFileSystem, NoPromise])
def store(request):
    MemoryFileSystem.store.clear()
    yield request.param()
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def names(store) -> list[str]:
    return sorted(path.removeprefix("/out/") for path in store.store)


def meanwhile(target, act, **options):
    """Export a thousand rows; in the middle of it, do something else."""
    seen = []

    def step(batch):
        # The first batch tells the columns, before the target is opened.
        seen.append(1)
        if len(seen) == 3:
            act()
        return batch

    frame = sf.from_arrow(table(1000)).rebatch(rows=100).map_batches(step, name="step")
    return frame.to_csv(target, **options)


@pytest.mark.parametrize("mode", ["append", "error", "overwrite"])
def test_the_later_of_two_fails_before_any_of_its_files_is_there(store, mode):
    target = Target(store)
    if mode != "error":
        sf.from_arrow(table(5)).to_csv(target, mode="error")
    with pytest.raises(sf.SinkError, match="was changed by another export meanwhile"):
        meanwhile(target, lambda: sf.from_arrow(table(10)).to_csv(target, mode=mode), mode=mode)
    wanted = {"append": 15, "error": 10, "overwrite": 10}[mode]
    manifest = json.loads(store.cat_file("/out/_streamframe.json"))
    assert names(store) == sorted(["_streamframe.json", *(file["path"] for file in manifest["files"])])
    assert sf.read_csv("memory://out/").count() == manifest["rows"] == wanted
    # And now that it is alone, it goes.
    assert meanwhile(target, lambda: None, mode="append").rows == 1000
    assert sf.read_csv("memory://out/").count() == wanted + 1000


def test_one_that_completes_its_files_is_not_disturbed(store):
    target = Target(store)
    journal = b'{"run": "other", "manifest_sha256": "", "comes": ["part-00000.csv"], "goes": [], "saved": null}'

    def completes():
        store.pipe_file("/out/part-00000.csv", b"of the other")
        store.pipe_file("/out/_streamframe.journal.json", journal)

    with pytest.raises(sf.SinkError, match="is being written by another export"):
        meanwhile(target, completes, mode="error")
    assert store.cat_file("/out/part-00000.csv") == b"of the other"
    assert store.cat_file("/out/_streamframe.journal.json") == journal


def test_one_whose_saved_files_another_has_cleared_away_says_so(store):
    target = Target(store)
    done = []

    def clears(batch):
        done.append(1)
        if len(done) == 6:
            sf.from_arrow(table(10)).to_csv(target, mode="error")
        return batch

    with pytest.raises(sf.SinkError, match="which has cleared away"):
        sf.from_arrow(table(1000)).rebatch(rows=100).map_batches(clears, name="step").to_csv(
            target, mode="error", resume=True, max_rows_per_file=100
        )
    assert sf.read_csv("memory://out/").count() == 10
    assert "_streamframe.journal.json" not in names(store)
    assert fsspec.filesystem("memory").cat_file("/out/_streamframe.json")


def test_a_journal_whose_answer_was_lost_is_ours_all_the_same(store):
    class Lost(type(store)):
        cachable = False

        def pipe_file(self, path, value, mode="overwrite", **options):
            super().pipe_file(path, value, **options)
            if mode == "create":
                raise FileExistsError(path)

    assert sf.from_arrow(table(10)).to_csv(Target(Lost()), mode="error").rows == 10
    assert names(store) == ["_streamframe.json", "part-00000.csv"]
