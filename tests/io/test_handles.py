"""An open file is read as the user left it, and what cannot be read is told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma

import fsspec
import pyarrow.parquet as pq
import pytest

import streamframe as sf

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
