"""A target is what it was before, or completely new."""

from __future__ import annotations

import errno
import io
import itertools
import os
import resource
import signal
import stat
import sys

import fsspec
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.errors import PlanError, SinkError
from streamframe.io.atomic import open_atomic


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_the_target_is_old_until_commit_and_then_new(tmp_path):
    target = tmp_path / "a.csv"
    target.write_bytes(b"old")
    with open_atomic(target) as file:
        assert file.write(b"new ") == 4
        assert file.write(memoryview(b"rows")) == 4
        file.flush()
        file.close()  # as pyarrow's writers do
        assert (file.tell(), file.closed, target.read_bytes()) == (8, False, b"old")
        assert file.commit() == 8
    assert target.read_bytes() == b"new rows"
    assert os.listdir(tmp_path) == ["a.csv"]
    assert file.closed


@pytest.mark.parametrize("how", ["abort", "exception", "drop"])
def test_whatever_is_not_committed_leaves_nothing(tmp_path, how):
    target = tmp_path / "a.csv"
    target.write_bytes(b"old")
    file = open_atomic(target)
    file.write(b"x" * 1_000_000)
    if how == "abort":
        file.abort()
        file.abort()
    elif how == "exception":
        with pytest.raises(ZeroDivisionError), file:
            1 / 0  # noqa: B018
    del file
    assert os.listdir(tmp_path) == ["a.csv"]
    assert target.read_bytes() == b"old"


def test_while_written_it_is_private_and_then_has_the_usual_mode(tmp_path, umask):
    with open_atomic(tmp_path / "a.csv") as file:
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.startswith(".a.csv.")
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        file.commit()
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o640


def test_a_replaced_file_keeps_its_mode(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"")
    (tmp_path / "a.csv").chmod(0o604)
    with open_atomic(tmp_path / "a.csv") as file:
        file.commit()
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o604


def test_a_symlink_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "real" / "a.csv")
    with open_atomic(tmp_path / "link.csv") as file:
        file.write(b"x")
        file.commit()
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real" / "a.csv").read_bytes() == b"x"


def test_a_target_that_cannot_be_is_refused_at_once(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for target, number, says in [
        (tmp_path / "uot" / "a.csv", errno.ENOENT, "out"),
        (tmp_path / "file" / "a.csv", errno.ENOTDIR, "not a directory"),
        (tmp_path / "out", errno.EISDIR, "is a directory"),
        (tmp_path / ("x" * 300), errno.ENAMETOOLONG, "too long"),
    ]:
        with pytest.raises(SinkError, match=says) as caught:
            open_atomic(target)
        assert caught.value.errno == number
    assert sorted(os.listdir(tmp_path)) == ["file", "out"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_is_not_writable_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match="not writable"):
        open_atomic(tmp_path / "a.csv")


def test_a_full_disk_is_a_sink_error_and_leaves_the_target():
    with open_atomic("/dev/full") as file, pytest.raises(SinkError) as caught:
        file.write(b"x")
    assert caught.value.errno == errno.ENOSPC


def test_a_write_beyond_the_limit_is_a_sink_error_and_leaves_nothing(tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with open_atomic(tmp_path / "a.csv") as file:
            file.write(bytes(90_000))
            with pytest.raises(SinkError) as caught:
                file.write(bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.errno == errno.EFBIG
    assert not os.listdir(tmp_path)


def test_pyarrow_writes_parquet_into_it(tmp_path):
    table = pa.table({"a": range(1000)})
    with open_atomic(tmp_path / "a.parquet") as file:
        with pq.ParquetWriter(file, table.schema) as writer:
            writer.write_table(table)
        assert not (tmp_path / "a.parquet").exists()
        assert file.commit() == (tmp_path / "a.parquet").stat().st_size
    assert pq.read_table(tmp_path / "a.parquet").equals(table)


def test_memory_targets_are_old_or_new():
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/out/a.csv", b"old")
    with open_atomic("memory://out/a.csv") as file:
        file.write(b"lost")
    with open_atomic("memory://out/a.csv") as file:
        file.write(b"new")
        assert fs.cat_file("/out/a.csv") == b"old"
        assert file.commit() == 3
    assert fs.cat_file("/out/a.csv") == b"new"
    fs.store.clear()


def test_a_web_page_cannot_be_written():
    with pytest.raises(PlanError, match="http"):
        open_atomic("https://host/a.csv?k=geheim")


def test_the_users_own_file_is_written_directly_and_left_open():
    own = io.BytesIO()
    with open_atomic(own) as file:
        file.write(b"abc")
        assert own.getvalue() == b"abc"
        assert file.commit() == 3
    assert not own.closed
    with pytest.raises(PlanError, match="text mode"):
        open_atomic(io.StringIO())


@pytest.mark.parametrize("verb", ["to_parquet", "to_ipc", "to_orc"])
def test_what_cannot_be_taken_back_does_not_look_whole(verb):
    def stops(batch):
        if batch["n"][0].as_py():
            raise RuntimeError
        return batch

    batches = [pa.record_batch({"n": [n] * 2_000_000}) for n in range(2)]
    own = io.BytesIO()
    with pytest.raises(RuntimeError):
        getattr(sf.from_batches(batches).map_batches(stops), verb)(own)
    with pytest.raises((pa.ArrowInvalid, OSError)):
        {"to_parquet": pq.read_table, "to_ipc": pa.ipc.open_file, "to_orc": orc.ORCFile}[verb](own)


def test_a_device_is_written_directly():
    with open_atomic("/dev/null") as file:
        file.write(b"abc")
        assert file.commit() == 3
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_commit_that_fails_is_a_sink_error_and_leaves_nothing(tmp_path):
    file = open_atomic(tmp_path / "a.csv")
    file.write(b"x")
    (tmp_path / "a.csv").mkdir()  # meanwhile
    with pytest.raises(SinkError):
        file.commit()
    assert os.listdir(tmp_path) == ["a.csv"]
    assert file.closed


@pytest.mark.parametrize("how", ["closed", "for reading only"])
def test_an_open_file_that_cannot_be_written_is_refused(tmp_path, how):
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")
    with path.open("rb" if how == "for reading only" else "ab") as file:
        if how == "closed":
            file.close()
        with pytest.raises(PlanError, match=r"the file is (closed|not open for writing)"):
            open_atomic(file)
    assert path.read_bytes() == b"old"


def test_a_name_that_no_file_can_have_is_told():
    with pytest.raises(SinkError, match="cannot be created"):
        open_atomic("a" * 300)


def test_ctrl_c_at_any_line_leaves_the_old_file_or_the_new_one_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.csv"

    def write():
        with open_atomic(path) as file:
            file.write(b"new")
            file.commit()

    def stopped_at(number):
        seen = itertools.count(1)

        def trace(frame, event, arg):
            # What is raised in a finalizer ends nothing.
            in_finalizer = "__del__" in (frame.f_code.co_name, frame.f_back.f_code.co_name)
            if in_finalizer or "streamframe/io/atomic" not in frame.f_code.co_filename.replace(os.sep, "/"):
                return None
            if event == "line" and next(seen) == number:
                sys.settrace(before)
                raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            write()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    number = 1
    path.write_bytes(b"old")
    while stopped_at(number):
        assert [(each.name, each.read_bytes() in (b"old", b"new")) for each in tmp_path.iterdir()] == [("a.csv", True)]
        path.write_bytes(b"old")
        number += 1
    assert number > 30
    assert path.read_bytes() == b"new"
