"""A file of few rows is made in one go, and holds what a larger one would."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import streamframe as sf


def test_text_that_stayed_encoded_is_text_in_a_small_file(tmp_path: Path) -> None:
    rows = pa.table({"a": ["x", None, "y"] * 400, "b": range(1200)})
    pq.write_table(rows, tmp_path / "in.parquet")
    sf.read_parquet(tmp_path / "in.parquet").to_parquet(tmp_path / "out.parquet", metadata={"owner": "me"})
    found = pq.read_table(tmp_path / "out.parquet", page_checksum_verification=True)
    assert found.equals(rows)
    assert pq.read_metadata(tmp_path / "out.parquet").metadata[b"owner"] == b"me"


def test_a_file_of_no_rows_has_its_columns(tmp_path: Path) -> None:
    sf.from_arrow(pa.table({"a": pa.array([], pa.int16())})).to_parquet(tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").schema.equals(pa.schema({"a": pa.int16()}))
