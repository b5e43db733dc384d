"""Filesystems that fsspec reaches, as they are asked for in a URI."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import Any

import fsspec
import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.utils import infer_storage_options

import streamframe as sf
from streamframe.errors import PlanError, SourceChangedError, TransportError, TruncatedError
from streamframe.io.locations import paths
from streamframe.testing import page, serve

CSV = b"a,b\n1,2\n"


class _Hosted(MemoryFileSystem):
    """A filesystem that is on a host, as ftp and sftp are."""

    protocol = "hosted"
    cachable = False

    def __init__(self, host: str, username: str, password: str, port: int = 0, **more: Any) -> None:
        super().__init__(**more)
        if (host, username, password, port) != ("example.org", "me", "secret", 21):
            raise PermissionError(f"no such user: {username}:{password}")

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        found = infer_storage_options(path)
        return {name: found[name] for name in ("host", "username", "password", "port") if name in found}

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + str(infer_storage_options(path)["path"]).lstrip("/")


@pytest.fixture
def hosted():
    fsspec.register_implementation("hosted", _Hosted, clobber=True)
    fsspec.filesystem("memory").pipe_file("/a.csv", b"a\n1\n")
    yield
    fsspec.filesystem("memory").store.clear()


def test_host_and_user_of_a_uri_reach_the_filesystem(hosted):
    assert sf.read_csv("hosted://me:secret@example.org:21/a.csv").count() == 1


def test_storage_options_win_over_the_uri(hosted):
    frame = sf.read_csv("hosted://me:wrong@example.org:21/a.csv", storage_options={"password": "secret"})
    assert frame.count() == 1


def test_a_refused_user_is_told_without_the_password(hosted):
    with pytest.raises(sf.SourceError, match="may not be read") as raised:
        sf.read_csv("hosted://me:w0rd@example.org:21/a.csv").count()
    assert "w0rd" not in f"{raised.value}{raised.value.__cause__}"


def test_a_chained_url_is_read_by_those_who_ask_for_it(tmp_path):
    with serve(page(CSV)) as url:
        cached = f"simplecache::{url}/a.csv?sig=geheim"
        with pytest.raises(PlanError, match="allow_chained"):
            sf.read_csv(cached)
        options = {"allow_chained": True, "simplecache": {"cache_storage": str(tmp_path)}}
        assert sf.read_csv(cached, storage_options=options).to_arrow().to_pylist() == [{"a": 1, "b": 2}]


def test_a_file_in_an_archive_is_read_by_its_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
    inside = f"zip://a.csv::file://{tmp_path}/b.zip"
    assert paths(inside, {"allow_chained": True}).suffix == ".csv"
    assert sf.read_csv(inside, storage_options={"allow_chained": True}).count() == 1


class _Store(AsyncFileSystem):
    """A store as gcsfs and adlfs are one: in coroutines, and asked for bytes of no particular version."""

    protocol = "store"
    cachable = False

    def __init__(self, *versions: bytes, **more: Any) -> None:
        super().__init__(**more)
        self.versions = versions
        self.requests = 0

    async def _info(self, path: str, **more: Any) -> dict[str, Any]:
        return {
            "name": path,
            "type": "file",
            "size": len(self.versions[0]),
            "etag": str(self._now),
            "read": self.requests,
        }

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **more: Any) -> bytes:
        data = self.versions[self._now][start:end]
        self.requests += 1
        return data

    @property
    def _now(self) -> int:
        return min(self.requests, len(self.versions) - 1)


def on(store):
    class Path:
        fs, path = store, "b/a.csv"

    return paths(Path()).given[0]


LONG = b"a,b\n" + b"1,2\n" * 1_500_000


def test_a_store_is_read_in_blocks_and_in_ranges():
    with on(_Store(LONG)).open_stream() as stream:
        assert stream.read_up_to(len(LONG) + 1) == LONG
        assert stream.size == stream.bytes_read == len(LONG)
    with on(_Store(LONG)).open_ranged() as file:
        assert file.read_range(5, len(LONG) - 5) == LONG[5:]
    with on(_Store(b"")).open_stream() as stream:
        assert stream.read_up_to(1) == b""


def test_the_head_of_an_object_costs_its_first_blocks_only():
    store = _Store(LONG * 4)
    with on(store).open_stream() as stream:
        stream.read_up_to(100)
        assert store.requests <= 3


def test_an_object_that_is_replaced_is_noticed_at_its_end():
    with on(_Store(LONG, LONG.replace(b"1", b"3"))).open_stream() as stream, pytest.raises(SourceChangedError):
        stream.read_up_to(len(LONG) + 1)
    with on(_Store(LONG, LONG.replace(b"1", b"3"))).open_ranged() as file, pytest.raises(SourceChangedError):
        file.read_range(0, 100)


@pytest.mark.parametrize(("sent", "kind"), [(LONG[:100], TruncatedError), (LONG * 2, TransportError)])
def test_what_is_not_of_the_size_that_was_asked_for_is_refused(sent, kind):
    class Lies(_Store):
        async def _cat_file(self, path: str, **more: Any) -> bytes:
            return sent

    with on(Lies(LONG)).open_stream() as stream, pytest.raises(kind) as caught:
        stream.read_up_to(1)
    assert caught.value.byte_offset == len(sent) % len(LONG)


def test_without_s3fs_the_error_names_the_line_that_installs_it():
    code = """
import sys
sys.modules["s3fs"] = None
import streamframe as sf
try:
    sf.read_csv("s3://b/a.csv").count()
except sf.MissingDependencyError as error:
    print(error.hint)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == 'pip install "streamframe-arrow[s3]"'
