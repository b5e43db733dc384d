"""An open file is read as the user left it, and what cannot be read is told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import urllib.request
import zipfile

import fsspec
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.testing.faults import chunks_cut_at, cut_at
from streamframe.testing.server import serve

CSV = b"a,b\n1,2\n"


def test_parquet_is_read_whole_wherever_the_file_stands():
    """As pyarrow and pandas do it; right after an export the file stands at its end."""
    file = io.BytesIO()
    sf.from_arrow({"a": [1, 2]}).to_parquet(file)
    assert sf.read_parquet(file).to_arrow().to_pydict() == {"a": [1, 2]}
    assert pq.read_table(file).num_rows == 2


def test_csv_that_stands_at_its_end_is_not_taken_for_an_empty_file():
    file = io.BytesIO()
    sf.from_arrow({"a": [1, 2]}).to_csv(file)
    with pytest.raises(sf.SourceError, match=r"stands at its end(.|\n)*seek\(0\)"):
        sf.read_csv(file).count()
    file.seek(0)
    assert sf.read_csv(file).count() == 2


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_what_decompresses_itself_is_not_decompressed_twice(tmp_path, suffix, module):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(module.compress(CSV))
    with module.open(path) as file:
        assert sf.read_csv(file).count() == 1
    with path.open("rb") as file:
        assert sf.read(file).count() == 1


def test_a_file_of_fsspec_has_a_suffix_too():
    fsspec.filesystem("memory").pipe_file("/handles/a.csv", CSV)
    with fsspec.open("memory://handles/a.csv") as file:
        assert sf.read(file).count() == 1


def test_a_file_that_was_closed_meanwhile_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(CSV)
    with path.open("rb") as file:
        frame = sf.read_csv(file)
    with pytest.raises(sf.SourceError, match="closed"):
        frame.count()


def test_a_reader_of_text_is_told_when_it_is_found_out():
    class Text:
        def read(self, size=-1):
            return "a,b"

    with pytest.raises(sf.PlanError, match="text mode"):
        sf.read_csv(Text()).count()


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_what_decompresses_itself_and_is_cut_is_told_as_such(tmp_path, suffix, module):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(module.compress(CSV)[:-9])
    with module.open(path) as file, pytest.raises(sf.TruncatedError, match="cut off"):
        sf.read_csv(file).count()


def test_whatever_an_open_file_raises_is_told_as_a_file_that_cannot_be_read(tmp_path):
    """Each library has its own; here zlib's, which is no OSError."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", CSV * 1000)
    damaged = bytearray(path.read_bytes())
    damaged[40] ^= 0xFF
    path.write_bytes(damaged)
    damage = pytest.raises(sf.SourceError, match="cannot be read")
    with zipfile.ZipFile(path) as archive, archive.open("a.csv") as file, damage as found:
        sf.read_csv(file).count()
    assert found.value.__cause__ is not None


@pytest.mark.parametrize("fault", [cut_at, chunks_cut_at])
def test_a_response_of_the_standard_library_that_is_cut_is_told(fault):
    """Of a body with a length, `http.client` says nothing: it ends as if all had come."""
    cut = pytest.raises(sf.TruncatedError, match="cut off")
    with serve(fault(500, CSV * 1000)) as url, urllib.request.urlopen(url) as response, cut:
        sf.read_csv(response).count()


def test_more_bytes_than_were_asked_for_are_an_error():
    class Generous(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, target):
            return len(target) + 5

    with pytest.raises(sf.SourceError, match=r"gave .* bytes, and .* were asked for"):
        sf.read_csv(Generous()).count()
