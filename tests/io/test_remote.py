"""Filesystems that fsspec reaches, as they are asked for in a URI."""

from __future__ import annotations

from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.utils import infer_storage_options

import streamframe as sf


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
