"""How hard text is compressed is what was asked for, and what that keeps in memory is counted."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.io.compressing import held_bytes

LEVELS = {"gz": (0, 9), "zst": (1, 19), "bz2": (1, 9), "xz": (0, 6), "lz4": (0, 12)}


@pytest.fixture(scope="module")
def rows():
    # Words that repeat, but not at once: a search that looks harder finds more of them.
    words = [f"{n * 7919 % 4093:x}-{n * n % 1021:x}" for n in range(60_000)]
    return pa.table({"id": range(60_000), "note": words})


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["to_csv", "to_ndjson"])
@pytest.mark.parametrize("suffix", LEVELS)
def test_a_higher_level_makes_a_smaller_file_of_the_same_rows(rows, tmp_path, verb, suffix):
    sizes = []
    for level in LEVELS[suffix]:
        path = tmp_path / f"{level}.{verb.removeprefix('to_')}.{suffix}"
        getattr(sf.from_arrow(rows), verb)(path, compression_level=level)
        assert sf.read(path).to_arrow().equals(rows)
        sizes.append(path.stat().st_size)
    # The blocks of bz2 hold a hundred or nine hundred kilobytes; these rows fit few of either.
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("level", [23, -200_000, 2.5, True, "9"])
def test_a_level_that_there_is_not_is_told_with_those_that_there_are(tmp_path, level):
    frame = sf.from_batches(lambda: pytest.fail("it ran"))
    with pytest.raises(sf.PlanError, match=r"whole number of -131072 to 22 for 'zstd', got .*\n.*3 is the default"):
        frame.to_csv(tmp_path / "a.csv.zst", compression_level=level)
    with pytest.raises(sf.PlanError, match="0 to 9 for 'gzip', got 10"):
        frame.to_ndjson(tmp_path / "a.ndjson", compression="gzip", compression_level=10)


def test_a_level_of_what_is_not_compressed_is_refused(tmp_path):
    frame = sf.from_arrow({"a": [1]})
    for path, options in ((tmp_path / "a.csv", {}), (tmp_path / "out.gz", {"mode": "error"}), (io.BytesIO(), {})):
        with pytest.raises(sf.PlanError, match="the text is not compressed"):
            frame.to_csv(path, compression_level=3, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_and_an_open_file_have_levels_too(rows, tmp_path):
    frame = sf.from_arrow(rows)
    sizes = []
    for level in (1, 9):
        frame.to_csv(tmp_path / f"{level}", mode="error", compression="gzip", compression_level=level)
        found = json.loads((tmp_path / f"{level}" / "_streamframe.json").read_bytes())
        assert found["settings"]["level"] == str(level)
        with (tmp_path / "open.csv.gz").open("wb") as file:
            frame.to_csv(file, compression_level=level)
        sizes.append([found["files"][0]["bytes"], (tmp_path / "open.csv.gz").stat().st_size])
    assert sizes[0] > sizes[1]
    assert sizes[0][0] == sizes[0][1]


def test_what_a_compressor_keeps_counts_as_memory(rows, tmp_path):
    frame = sf.from_arrow(rows)
    assert frame.to_csv(tmp_path / "a.csv.xz").peak_bytes > 90 << 20
    assert frame.to_csv(tmp_path / "a.csv").peak_bytes < 90 << 20
    with pytest.raises(sf.BudgetError, match=r"compression_level=22 keeps 839 MB.*256 MB"):
        frame.to_csv(tmp_path / "b.csv.zst", compression_level=22)
    assert not (tmp_path / "b.csv.zst").exists()
    with sf.options(memory="1MB"):
        assert frame.to_csv(tmp_path / "b.csv.xz").rows == 60_000
        assert frame.to_csv(tmp_path / "b.csv.xz", compression_level=1).rows == 60_000


@pytest.mark.slow
def test_no_more_files_are_open_than_their_compressors_fit(tmp_path):
    rows = pa.table({"key": [n % 40 for n in range(4_000)], "n": range(4_000)})
    with sf.options(memory="128MB"):
        report = sf.from_arrow(rows).to_csv(
            tmp_path / "out", partition_by="key", compression="zstd", compression_level=12
        )
    # Two of them, where 40 would take three gigabytes; the third file waits on disk.
    assert 60 << 20 < report.peak_bytes < 3 * held_bytes("zstd", "", 12)
    assert len(report.files) == 40
    assert sorted(sf.read_csv(tmp_path / "out").to_arrow()["n"].to_pylist()) == list(range(4_000))
