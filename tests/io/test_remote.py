"""Filesystems that fsspec reaches, as they are asked for in a URI."""

from __future__ import annotations

import zipfile
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.utils import infer_storage_options

import streamframe as sf
from streamframe.errors import PlanError
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
