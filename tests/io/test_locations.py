"""What a reader may be given as its path, and what it says about the rest."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import os
import pickle
import subprocess
import sys
import threading

import fsspec
import pytest

from streamframe.errors import DecodeError, PlanError, SourceError, TruncatedError
from streamframe.io.locations import paths
from streamframe.testing import serve, with_length
from tests.io.reading import drain, read_all

CSV = b"a,b\n1,2\n"


@pytest.fixture
def memory():
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()


class FakeUPath:
    """What universal_pathlib's UPath shows of itself."""

    def __init__(self, fs, path):
        self.fs, self.path = fs, path


def test_a_local_file_is_read_by_str_path_uri_tilde_and_relative_path(tmp_path, monkeypatch):
    file = tmp_path / "a b.csv"
    file.write_bytes(CSV)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (str(file), file, file.as_uri(), f"file://{tmp_path}/a b.csv", "~/a b.csv", "a b.csv"):
        assert read_all(path) == CSV


def test_a_relative_path_survives_a_chdir(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(CSV)
    monkeypatch.chdir(tmp_path)
    plan = paths("a.csv")
    monkeypatch.chdir("/")
    assert drain(plan.given[0].open_stream()) == CSV


@pytest.mark.parametrize(
    ("name", "suffix", "compression"),
    [
        ("a.csv", ".csv", None),
        ("a.CSV", ".csv", None),
        ("a.b.csv.gz", ".csv", "gzip"),
        ("a.parquet.ZST", ".parquet", "zstd"),
        ("a.csv.bz2", ".csv", "bz2"),
        ("https://h/a.csv.xz?sig=x.y", ".csv", "xz"),
        ("https://h/a%2Ecsv#f.gz", ".csv", None),
        ("s3://b/a.csv", ".csv", None),
        ("data.gz", "", "gzip"),
        ("data", "", None),
    ],
)
def test_the_suffix_says_format_and_compression(name, suffix, compression):
    (location,) = paths(name).given
    assert (location.format_suffix, location.compression) == (suffix, compression)
    assert paths(name).suffix == suffix


def test_compression_goes_by_suffix_or_by_name(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV))
    (tmp_path / "b.csv").write_bytes(bz2.compress(CSV))
    (tmp_path / "c.csv.gz").write_bytes(CSV)
    assert read_all(tmp_path / "a.csv.gz") == CSV
    assert read_all(tmp_path / "b.csv", compression="bz2") == CSV
    assert read_all(tmp_path / "c.csv.gz", compression=None) == CSV
    with pytest.raises(DecodeError, match="not gzip"):
        read_all(tmp_path / "c.csv.gz")


def test_the_layers_are_decompression_then_utf8(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress("ä".encode("utf-16")))
    assert read_all(tmp_path / "a.csv.gz", encoding="utf-16").decode() == "ä"


def test_a_glob_is_sorted_and_looked_up_late(tmp_path):
    plan = paths(str(tmp_path / "**" / "*.csv"))
    (tmp_path / "dir.csv").mkdir()
    for name in ("b.csv", "a.csv", "dir.csv/c.csv", "x.txt"):
        (tmp_path / name).write_bytes(CSV)
    assert [location.name for location in plan.expand()] == ["a.csv", "b.csv", "c.csv"]


def test_a_glob_without_a_match_names_the_pattern(tmp_path):
    with pytest.raises(SourceError, match=r"\*\.csv") as caught:
        paths(str(tmp_path / "*.csv")).expand()
    assert caught.value.errno == errno.ENOENT


def test_a_name_with_glob_characters_is_read_as_it_is(tmp_path):
    (tmp_path / "a[1]?.csv").write_bytes(CSV)
    assert read_all(str(tmp_path / "a[1]?.csv")) == CSV


def test_a_missing_file_has_an_errno_and_the_nearest_name(tmp_path):
    (tmp_path / "flights.csv").write_bytes(CSV)
    with pytest.raises(SourceError) as caught:
        read_all(tmp_path / "flihgts.csv")
    assert caught.value.errno == errno.ENOENT
    assert "flights.csv" in caught.value.hint


def test_a_directory_is_refused_with_the_glob_to_use(tmp_path):
    for open_it in ("open_stream", "open_ranged"):
        with pytest.raises(SourceError, match="directory") as caught:
            getattr(paths(tmp_path).given[0], open_it)()
        assert f"{tmp_path}/*.csv" in caught.value.hint


@pytest.mark.parametrize("bad", [[], "", None, 3, b"a.csv", io.StringIO("a"), "htps://h/a.csv", "a\0b.csv"])
def test_nonsense_is_refused(bad):
    with pytest.raises((PlanError, SourceError)):
        read_all(bad)


@pytest.mark.parametrize("chained", ["simplecache::https://h/a?k=geheim", "reference::x", "zip://a::s3://b/c.zip"])
def test_a_chained_url_is_refused(chained):
    with pytest.raises(PlanError, match="chained") as caught:
        paths(chained)
    assert "geheim" not in str(caught.value)


def test_an_ipv6_host_is_not_a_chain():
    assert paths("http://[::1]:80/a::b.csv").label == "a::b.csv"


def test_labels_are_short():
    assert paths("/x/flights.csv").label == "flights.csv"
    assert paths(["/x/a.csv", "https://h/b.csv?k=v", "c.csv"]).label == "3 files: a.csv, …"


def test_options_that_would_do_nothing_are_refused():
    with pytest.raises(PlanError, match="local file"):
        paths("a.csv", {"anon": True})


def test_plans_can_be_sent_to_another_process():
    for path in ("a.csv", "https://h/a.csv", "memory://a.csv"):
        assert pickle.loads(pickle.dumps(paths(path))) == paths(path)


def test_a_file_that_shrinks_is_truncated(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(bytes(100))
    with paths(file).given[0].open_stream() as stream:
        stream.read_up_to(10)
        os.truncate(file, 50)
        with pytest.raises(TruncatedError):
            drain(stream)


def test_a_local_stream_seeks(tmp_path):
    (tmp_path / "a.csv").write_bytes(CSV)
    with paths(tmp_path / "a.csv").given[0].open_stream() as stream:
        assert stream.seekable
        stream.read_up_to(3)
        stream.seek(4)
        assert (stream.offset, drain(stream)) == (4, CSV[4:])


def test_close_lets_the_file_go_at_once_or_when_a_read_comes_back(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    keep = os.open(pipe, os.O_RDWR)
    stream = paths(pipe).given[0].open_stream()
    failed = []

    def read():
        try:
            stream.read_into(memoryview(bytearray(5)))
        except SourceError as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    while not stream._busy.locked():
        os.sched_yield()
    stream.close()
    os.write(keep, b"x")
    reader.join()
    os.close(keep)
    assert failed
    assert stream._file.closed


@pytest.mark.parametrize("kind", ["local", "memory", "handle"])
def test_ranges_are_exact(kind, tmp_path, memory):
    (tmp_path / "a").write_bytes(CSV)
    memory.pipe_file("/a", CSV)
    path = {"local": tmp_path / "a", "memory": "memory://a", "handle": io.BytesIO(CSV)}[kind]
    with paths(path).given[0].open_ranged() as file:
        assert (file.size, file.read_range(2, 4), file.read_range(3, 0)) == (8, CSV[2:6], b"")
        assert file.bytes_read == 4
        assert file.local_path == (str(tmp_path / "a") if kind == "local" else None)
        with pytest.raises(TruncatedError):
            file.read_range(5, 4)
        file.close()
        with pytest.raises(SourceError, match="closed"):
            file.read_range(0, 1)


def test_a_memory_file_is_read_by_two_at_once(memory):
    memory.pipe_file("/dir/a.csv.gz", gzip.compress(CSV))
    location = paths("memory://dir/a.csv.gz").given[0]
    with location.open_stream() as one, location.open_stream() as two:
        assert one.read_up_to(3) + two.read_up_to(3) + drain(one) + drain(two) == CSV[:3] * 2 + CSV[3:] * 2


def test_remote_globs_and_missing_files(memory):
    for name in ("b", "a"):
        memory.pipe_file(f"/dir/{name}.csv", name.encode())
    found = paths("memory://dir/*.csv").expand()
    assert [drain(location.open_stream()) for location in found] == [b"a", b"b"]
    with pytest.raises(SourceError, match=r"x\*"):
        paths("memory://dir/x*.csv").expand()
    with pytest.raises(SourceError, match="not exist") as caught:
        read_all("memory://dir/c.csv")
    assert caught.value.errno == errno.ENOENT


def test_a_upath_keeps_its_filesystem(memory, tmp_path):
    memory.pipe_file("/a.csv", b"in memory")
    (tmp_path / "a.csv").write_bytes(b"on disk")
    assert read_all(FakeUPath(memory, "/a.csv")) == b"in memory"
    assert read_all(FakeUPath(fsspec.filesystem("file"), str(tmp_path / "a.csv"))) == b"on disk"
    with serve(with_length(CSV)) as url:
        assert read_all(FakeUPath(fsspec.filesystem("http"), url + "/a.csv")) == CSV


def test_an_open_file_is_read_from_where_it_stood_each_time_and_never_closed(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"skip" + CSV)
    with open(tmp_path / "a.csv", "rb") as file:
        file.seek(4)
        plan = paths(file)
        file.seek(0)
        for _ in range(2):
            assert drain(plan.given[0].open_stream()) == CSV
        assert plan.replayable
        assert plan.suffix == ".csv"
        assert not file.closed


class OneShot(io.RawIOBase):
    """A pipe."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, target):
        return self._data.readinto(target)


def test_a_pipe_can_be_sniffed_and_then_read_once():
    plan = paths(OneShot(gzip.compress(CSV)))
    assert not plan.replayable
    for _ in range(2):
        with plan.given[0].open_stream(compression="gz") as stream:
            stream.unread(stream.read_up_to(3))
    with plan.given[0].open_stream(compression="gz") as stream:
        assert drain(stream) == CSV
    with pytest.raises(SourceError, match="only once"):
        plan.given[0].open_stream(compression="gz")


def test_a_pipe_that_lost_bytes_is_never_read_again():
    location = paths(OneShot(CSV)).given[0]
    with location.open_stream() as stream:
        stream.read_up_to(3)
    with pytest.raises(SourceError, match="only once"):
        location.open_stream()


def test_a_closed_or_text_file_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(CSV)
    with open(tmp_path / "a") as text, pytest.raises(PlanError, match="text mode"):
        paths(text)
    with open(tmp_path / "a", "rb") as file:
        pass
    with pytest.raises(PlanError, match="closed"):
        paths(file)
    with open(tmp_path / "a", "ab") as sink, pytest.raises(PlanError, match="reading"):
        paths(sink)


def test_building_a_plan_imports_neither_aiohttp_nor_fsspec():
    code = (
        "import sys; from streamframe.io import locations, atomic; locations.paths(['a.csv', 'https://h/a.csv'])\n"
        "print([name for name in ('aiohttp', 'fsspec') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert out.stdout.strip() == "[]", out


def test_a_link_to_nothing_is_told_as_such(tmp_path):
    """The nearest name was its own."""
    (tmp_path / "a.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(SourceError, match=r"does not exist(.|\n)*a link to .*gone\.csv, which is not there"):
        read_all(tmp_path / "a.csv")
