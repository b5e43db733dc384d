"""The real data is what its manifest says, and has the oddities that other tests rely on."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

FIELDS = {"file", "source", "member", "upstream", "licence", "sha256", "bytes", "rows", "header", "note"}


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    return found


def records(path: Path) -> list[list[str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return list(csv.reader(io.StringIO(text, newline="")))


def run_make(datasets: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # -I: the script has to work from anywhere, without this repository on the path.
    command = [sys.executable, "-I", str(datasets / "make.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


@pytest.fixture
def copied(datasets: Path, tmp_path: Path) -> Path:
    shutil.copytree(datasets, tmp_path / "copied", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copied"


def test_every_file_has_its_source_licence_and_fingerprint(datasets: Path) -> None:
    for entry in manifest(datasets)["files"]:
        data = (datasets / entry["file"]).read_bytes()
        assert set(entry) == FIELDS
        assert all(entry[name] for name in ("source", "upstream", "licence", "note"))
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])


def test_the_manifest_counts_the_rows_that_a_reader_finds(datasets: Path) -> None:
    for entry in manifest(datasets)["files"]:
        path = datasets / entry["file"]
        if path.suffix == ".txt":
            continue
        found = pq.read_metadata(path).num_rows if path.suffix == ".parquet" else len(records(path)) - entry["header"]
        assert found == entry["rows"], entry["file"]


def test_all_of_it_is_a_few_megabytes(datasets: Path) -> None:
    assert sum(entry["bytes"] for entry in manifest(datasets)["files"]) < 8_000_000


def test_check_passes_on_what_is_committed(datasets: Path) -> None:
    done = run_make(datasets, "--check")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "airlines.csv").write_bytes(b"x"), "airlines.csv: sha256 is"),
        (lambda folder: (folder / "planes.csv").unlink(), "planes.csv: missing"),
        (lambda folder: (folder / "stray.csv").write_bytes(b"x"), "stray.csv: not in the manifest"),
    ],
    ids=["changed", "missing", "unlisted"],
)
def test_check_names_the_file_that_differs(datasets: Path, copied: Path, spoil: Any, told: str) -> None:
    spoil(copied)
    done = run_make(datasets, "--check", "--into", copied)
    assert done.returncode == 1
    assert told in done.stderr


@pytest.mark.slow
def test_making_everything_again_gives_the_same_bytes(datasets: Path, tmp_path: Path) -> None:
    for name, version in manifest(datasets)["packages"].items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "none"
        if found != version:
            pytest.skip(f"needs {name}=={version}, found {found}")
    done = run_make(datasets, "--into", tmp_path)
    assert done.returncode == 0, done.stderr
    for entry in manifest(datasets)["files"]:
        assert (tmp_path / entry["file"]).read_bytes() == (datasets / entry["file"]).read_bytes(), entry["file"]
    assert (tmp_path / "MANIFEST.json").read_bytes() == (datasets / "MANIFEST.json").read_bytes()


def test_the_row_groups_of_flights_can_be_told_apart_by_month(datasets: Path) -> None:
    footer = pq.read_metadata(datasets / "flights.parquet")
    month = footer.schema.to_arrow_schema().get_field_index("month")
    seen = [footer.row_group(group).column(month).statistics for group in range(footer.num_row_groups)]
    assert [(each.min, each.max) for each in seen] == [(1, 3), (4, 6), (7, 9), (10, 12)]


@pytest.mark.slow
def test_the_january_slice_has_the_same_flights_as_the_parquet_file(datasets: Path) -> None:
    names = ["day", "carrier", "flight", "origin", "dest", "dep_delay"]
    january = pq.read_table(datasets / "flights.parquet", filters=[("month", "==", 1)], columns=names)
    rows = [["NA" if value is None else str(value) for value in row.values()] for row in january.to_pylist()]
    header, *slice_rows = records(datasets / "flights-2013-01.csv.gz")
    places = [header.index(name) for name in names]
    assert sorted(rows) == sorted([row[place] for place in places] for row in slice_rows)


def test_the_messy_files_are_as_messy_as_other_tests_believe(datasets: Path) -> None:
    glucose = gzip.decompress((datasets / "CGM.csv.gz").read_bytes())
    assert (glucose.count(b"\r\n"), glucose.count(b"\n")) == (52_281, 52_282)
    assert glucose.endswith(b",165\n")
    unemployment = records(datasets / "unemployment09.csv.gz")
    assert unemployment[0][:4] == ["CN010010", "01", "001", "Autauga County, AL"]
    assert unemployment[0][5] == "23,288  "
    cities = gzip.decompress((datasets / "world_cities.csv.gz").read_bytes())
    assert "Zindah Jān".encode() in cities
    assert b'"Washington, D.C."' in cities
    assert ["Adelie", "Torgersen", "", "", "", "", ""] in records(datasets / "penguins.csv")
    assert b'"Usain Bolt",                  "JAM"' in (datasets / "sprint.csv").read_bytes()
