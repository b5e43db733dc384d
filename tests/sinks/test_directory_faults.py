"""Whatever ends an export, the directory is old or new, and the next run leaves nothing stray."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import streamframe as sf
from streamframe.io.directory_local import LocalDirectory
from tests.conftest import open_files_under
from tests.contract.parts import table
from tests.sinks.children import printed_by
from tests.sinks.killing import state

# A run takes fewer steps on the disk, so the last ones are not killed at all.
STEPS = 60


def killings(folder: Path, mode: str, swap: str, steps: list[int]) -> list[str]:
    lines = printed_by("killing", folder, mode, swap, *steps)
    return [line.partition(" ")[2] for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
def test_killed_at_any_step_a_directory_is_old_or_new(tmp_path, mode):
    steps = sorted(random.sample(range(1, STEPS), 5))
    found = killings(tmp_path, mode, "swap", steps)
    assert len(found) == 5
    assert set(found) <= {"old kept", "new kept"}, steps


@pytest.mark.soak
@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
def test_killed_at_each_step_a_directory_is_old_or_new(tmp_path, mode):
    found = killings(tmp_path, mode, "swap", list(range(1, STEPS)))
    assert set(found) == {"old kept", "new kept"}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
def test_where_nothing_can_trade_places_the_next_run_finishes_what_a_kill_left(tmp_path, mode):
    found = killings(tmp_path, mode, "two renames", list(range(1, STEPS)))
    # Killed between the two renames, there is no directory until the next run.
    assert set(found) == {"old kept", "new kept"} | ({"missing kept"} if mode != "error" else set())


@pytest.mark.parametrize("how", ["exception", "Ctrl-C"])
@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
def test_a_function_that_stops_the_run_leaves_the_directory(tmp_path, mode, how):
    rows = sf.from_arrow(table()).rebatch(rows=500)
    if mode != "error":
        rows.limit(100).to_parquet(tmp_path / "out", partition_by="late")
    old = state(tmp_path)

    def stops(batch):
        if batch["id"][0].as_py() > 3000:
            signal.raise_signal(signal.SIGINT) if how == "Ctrl-C" else 1 / 0
        return batch

    with sf.options(memory="2MB"), pytest.raises(KeyboardInterrupt if how == "Ctrl-C" else ZeroDivisionError):
        rows.map_batches(stops).to_parquet(tmp_path / "out", partition_by="late", mode=mode, max_rows_per_file=300)
    assert state(tmp_path) == old
    assert len(os.listdir(tmp_path)) == (mode != "error")


def test_a_file_that_may_not_grow_is_a_sink_error_and_leaves_nothing(tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))
    try:
        with pytest.raises(sf.SinkError) as caught:
            sf.from_arrow(table()).to_csv(tmp_path / "out", partition_by="late")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.errno == errno.EFBIG
    assert os.listdir(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 300 kB, where one may."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


@pytest.mark.parametrize("verb", ["to_csv", "to_parquet", "to_ipc"])
@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_full_disk_is_a_sink_error_and_leaves_the_directory(small_disk, mode, verb):
    rows = sf.from_arrow(table())
    getattr(rows.limit(500), verb)(small_disk / "out", partition_by="late")
    old = state(small_disk)
    with pytest.raises(sf.SinkError, match="free some space") as caught:
        getattr(sf.from_arrow(table(30_000)), verb)(
            small_disk / "out", partition_by=["late", "carrier"][: 1 + (mode == "overwrite")], mode=mode
        )
    assert caught.value.errno == errno.ENOSPC
    assert state(small_disk) == old
    assert os.listdir(small_disk) == ["out"]


def test_what_a_living_run_writes_is_not_cleared(tmp_path):
    rows = sf.from_arrow(table()).rebatch(rows=2500)

    def meanwhile(batch):
        if batch["id"][0].as_py():
            sf.from_arrow(table(10)).to_parquet(tmp_path / "out", partition_by="late")
        return batch

    # Both began when there was no such directory: the first that is done has it.
    with pytest.raises(sf.SinkError, match="was made by somebody else meanwhile"):
        rows.map_batches(meanwhile).to_parquet(tmp_path / "out", partition_by="late")
    assert sf.read_parquet(tmp_path / "out").count() == 10
    assert os.listdir(tmp_path) == ["out"]


class Dies(MemoryFileSystem):
    """A store that the process loses at one of its steps, for good."""

    steps: int | None = None
    cachable = False

    def _step(self) -> None:
        if Dies.steps is not None:
            Dies.steps -= 1
            if Dies.steps < 0:
                raise SystemExit("killed")

    def pipe_file(self, path, value, mode="overwrite", **options):
        self._step()
        super().pipe_file(path, value, mode, **options)

    def rm_file(self, path):
        self._step()
        super().rm_file(path)

    def cat_file(self, path, start=None, end=None, **options):
        self._step()
        return super().cat_file(path, start, end, **options)


class Target:
    """A path on a filesystem of its own, as UPath is one."""

    def __init__(self, fs, path):
        self.fs, self.path = fs, path


@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
def test_on_a_store_the_next_run_finishes_what_a_kill_left(mode):
    fs = Dies()
    target = Target(fs, "/out")
    rows, before = sf.from_arrow(table(50)), sf.from_arrow(table(20))
    seen = set()

    def files() -> dict[str, bytes]:
        return {path: fs.store[path].getvalue() for path in sorted(fs.store)}

    try:
        for steps in range(40):
            fs.store.clear()
            if mode != "error":
                before.to_csv(target, partition_by="late", mode="error")
            old = files()
            Dies.steps = steps
            try:
                rows.to_csv(target, partition_by="late", mode=mode)
                done = True
            except SystemExit:
                done = False
            Dies.steps = None
            # Opening it for another export is enough to mend it.
            with pytest.raises(ZeroDivisionError):
                rows.rebatch(rows=10).map_batches(lambda batch: batch if batch["id"][0].as_py() < 20 else 1 / 0).to_csv(
                    target, partition_by="late", mode="append"
                )
            after = files()
            seen.add("old" if after == old else "new")
            if after != old:
                kept = [] if mode != "append" else [name for name in old if not name.endswith(".json")]
                assert len(after) == 3 + len(kept), sorted(after)
                assert set(kept) <= set(after)
            if done:
                break
        assert done
        assert seen == {"old", "new"}
    finally:
        Dies.steps = None
        fs.store.clear()
        fs.pseudo_dirs[:] = [""]


def test_a_manifest_that_is_damaged_is_told(tmp_path):
    sf.from_arrow(table(10)).to_csv(tmp_path / "out", mode="append")
    for text, says in (("{", "damaged"), ('{"version": 99}', "version 99")):
        (tmp_path / "out" / "_streamframe.json").write_text(text)
        with pytest.raises(sf.SinkError, match=says):
            sf.from_arrow(table(10)).to_csv(tmp_path / "out", mode="append")
    assert os.listdir(tmp_path) == ["out"]


def test_a_secret_in_the_target_shows_nowhere():
    report = sf.from_arrow(pa.table({"a": [1]})).to_csv("memory://me:geheim@host/out/")
    try:
        assert "geheim" not in repr(report)
        assert not any(b"geheim" in file.getvalue() for file in fsspec.filesystem("memory").store.values())
    finally:
        fsspec.filesystem("memory").store.clear()


def test_what_is_left_of_a_directory_whose_name_starts_alike_is_not_taken_for_ours(tmp_path):
    start = "a-name-that-is-longer-than-forty-letters-"
    run = LocalDirectory("x", str(tmp_path / f"{start}one"), "error", ".csv")
    with run.create("part-00000.csv") as file:
        file.write(b"one")
        file.commit()
    # Killed between two renames: its old content is aside, the new one not yet in place.
    staging = Path(run._staging)
    staging.rename(staging.with_suffix(".old"))
    run._unlock()
    sf.from_arrow({"a": [1]}).to_csv(f"{tmp_path / start}two/")
    assert staging.with_suffix(".old").is_dir()
    assert [path.name for path in (tmp_path / f"{start}two").glob("part*")] == ["part-00000.csv"]


# A file that is dropped right behind its making is closed then, with Python's warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_call_while_a_file_is_opened_leaves_no_descriptor(tmp_path):
    """Python looks for signals where a function begins: what nobody owns by then is never closed."""

    def stopped_at(number):
        calls = count(1)

        def stop(frame, event, arg):
            if "__del__" not in frame.f_code.co_name and next(calls) == number:
                raise KeyboardInterrupt

        before = sys.gettrace()
        sys.settrace(stop)
        try:
            directory.create(f"{number}.csv").abort()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    directory = LocalDirectory("out", str(tmp_path / "out"), "error", ".csv")
    number = 1
    while stopped_at(number):
        number += 1
    directory.abort()
    assert number > 5
    assert open_files_under(tmp_path) == []
