"""ORC: rows come back as they went, stripe by stripe, and damage is told."""

from __future__ import annotations

import datetime
import os
import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.orc as orc
import pytest

import streamframe as sf
from streamframe.testing import page, serve

DAY = datetime.datetime(2024, 2, 29, 12)
TABLE = pa.table(
    {
        "n": pa.array([1, None, 3], pa.int32()),
        "text": ["ä", None, ""],
        "time": pa.array([DAY, None, DAY], pa.timestamp("ns")),
        "zoned": pa.array([DAY, None, DAY], pa.timestamp("ns", "UTC")),
        "day": pa.array([DAY.date(), None, DAY.date()]),
        "price": pa.array([1, None, 3]).cast(pa.decimal128(25, 2)),
        "list": [[1, None], [], None],
        "struct": [{"a": 1}, None, {"a": None}],
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "late": [True, None, False],
        "bytes": [b"\xff", None, b""],
    }
)


@pytest.fixture
def many(tmp_path):
    """A file of several stripes."""
    chance = random.Random(3)
    table = pa.table({"n": range(300_000), "text": [chance.randbytes(8).hex() for _ in range(300_000)]})
    with orc.ORCWriter(str(tmp_path / "many.orc"), stripe_size=1 << 20) as writer:
        for batch in table.to_batches(10_000):
            writer.write(pa.table(batch))
    assert orc.ORCFile(pa.BufferReader((tmp_path / "many.orc").read_bytes())).nstripes > 3
    return tmp_path / "many.orc", table


def test_values_of_every_type_come_back(tmp_path):
    report = sf.from_arrow(TABLE).to_orc(tmp_path / "a.orc")
    assert report.rows == 3
    found = sf.read(tmp_path / "a.orc").to_arrow()
    assert found.to_pylist() == TABLE.to_pylist()
    assert found.schema == TABLE.schema
    assert orc.read_table(tmp_path / "a.orc").to_pylist() == TABLE.to_pylist()


def test_slices_of_structs_keep_their_values(tmp_path):
    table = pa.table({"a": pa.array([None, {"b": 1, "c": [1, 2]}, {"b": 3, "c": []}])})
    sf.from_batches([table.slice(0, 1).to_batches()[0], table.slice(1).to_batches()[0]]).to_orc(tmp_path / "a.orc")
    assert sf.read_orc(tmp_path / "a.orc").to_arrow().to_pylist() == table.to_pylist()


@pytest.mark.parametrize("compression", ["zstd", "zlib", "snappy", "lz4", None])
def test_compressions_are_read_back(tmp_path, compression):
    sf.from_arrow({"a": [1, 2]}).to_orc(tmp_path / "a.orc", compression=compression)
    assert sf.read_orc(tmp_path / "a.orc").to_arrow().to_pydict() == {"a": [1, 2]}


def test_stripes_come_in_order_and_only_wanted_columns_are_read(many):
    path, table = many
    with sf.options(memory="16MB"):
        assert sf.read_orc(path).to_arrow().equals(table)
        assert sf.read_orc(path, columns=["text"]).to_arrow().equals(table.select(["text"]))
        assert sf.read_orc(path).count() == table.num_rows
        assert sf.read_orc(path).slice(250_000, 2).to_arrow()["n"].to_pylist() == [250_000, 250_001]


@pytest.fixture
def large(tmp_path):
    """A file of one stripe, large beside a memory of 4 MB; two columns have many bytes of their own."""
    rows = 100_000
    chance = random.Random(4)
    table = TABLE.take([chance.randrange(3) for _ in range(rows)]).append_column("row", [range(rows)])
    orc.write_table(table, tmp_path / "large.orc", stripe_size=256 << 20)
    assert orc.ORCFile(tmp_path / "large.orc").nstripes == 1
    return tmp_path / "large.orc", table


def test_a_large_stripe_comes_in_slices_within_the_memory_whatever_its_types(large):
    path, table = large
    with sf.options(memory="4MB"), sf.read_orc(path).iter_batches() as batches:
        found = list(batches)
        stats = batches.stats()
    assert pa.Table.from_batches(found).equals(table)
    assert max(batch.nbytes for batch in found) < 1_000_000 < table.nbytes / 4
    # Not so much as one of its columns has.
    assert stats.peak_bytes - stats.limit_bytes // 2 < max(column.nbytes for column in table.columns)


@pytest.mark.parametrize("compression", ["zstd", "zlib", "snappy", "lz4", "uncompressed"])
@pytest.mark.parametrize("version", ["0.11", "0.12"])
def test_slices_of_stripes_are_right_however_the_file_was_written(tmp_path, compression, version):
    rows = 30_000
    odd = pa.table({name: range(at, at + rows) for at, name in enumerate(["a.b", "a", "c0", "`x`", "", "é"])})
    odd = odd.append_column("text", [[f"text {row}" for row in range(rows)]])
    orc.write_table(odd, tmp_path / "a.orc", compression=compression, file_version=version)
    with sf.options(memory="1MB"):
        found = list(sf.read_orc(tmp_path / "a.orc").iter_batches())
        assert len(found) > 5
        assert pa.Table.from_batches(found).equals(odd)
        assert sf.read_orc(tmp_path / "a.orc", columns=["c0", "a"]).to_arrow().equals(odd.select(["c0", "a"]))


def test_a_loop_that_ends_within_a_large_stripe_leaves_no_file_open(large):
    path, _ = large
    with sf.options(memory="1MB"):
        before = len(os.listdir("/dev/fd"))
        with sf.read_orc(path).iter_batches() as batches:
            assert next(batches)["row"].to_pylist()[:2] == [0, 1]
            assert len(os.listdir("/dev/fd")) > before
        assert len(os.listdir("/dev/fd")) == before
        assert sf.read_orc(path).head(1)["row"].tolist() == [0]
        assert len(os.listdir("/dev/fd")) == before


def test_of_a_large_stripe_only_the_wanted_columns_are_decoded_in_their_order(large):
    path, table = large
    with sf.options(memory="1MB"):
        assert sf.read_orc(path, columns=["text", "n"]).to_arrow().equals(table.select(["text", "n"]))
        assert sf.read_orc(path).count() == table.num_rows
        assert sf.read_orc(path, columns=["row"]).head(3)["row"].tolist() == [0, 1, 2]


def test_a_loop_over_a_large_stripe_goes_on_in_its_middle(large):
    path, table = large
    with sf.options(memory="4MB"):
        with sf.read_orc(path).iter_batches() as batches:
            before = [next(batches), next(batches)]
            mark = batches.checkpoint()
        rest = list(sf.read_orc(path).iter_batches(resume=mark))
    assert pa.Table.from_batches(before + rest).equals(table)


def test_a_stripe_that_becomes_too_large_is_refused_before_it_is_decoded(tmp_path):
    sf.from_arrow({"n": pa.repeat(7, 1_000_000), "m": pa.repeat(8, 1_000_000)}).to_orc(tmp_path / "bomb.orc")
    assert (tmp_path / "bomb.orc").stat().st_size < 100_000
    with pytest.raises(sf.BudgetError, match=r"stripe 0 has 16.2 MB once it is decompressed(.|\n)*max_batch_bytes="):
        sf.read_orc(tmp_path / "bomb.orc", max_batch_bytes="10MB").to_arrow()
    assert sf.read_orc(tmp_path / "bomb.orc", max_batch_bytes="10MB", columns=["m"]).count() == 1_000_000
    assert sf.read_orc(tmp_path / "bomb.orc", max_batch_bytes="20MB").to_arrow().num_rows == 1_000_000


def test_a_large_stripe_needs_a_folder_for_temporary_files(large, tmp_path, monkeypatch):
    path, _ = large
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with sf.options(memory="1MB"), pytest.raises(sf.BudgetError, match=r"cannot spill to .*gone(.|\n)*TMPDIR"):
        sf.read_orc(path).to_arrow()


def test_a_footer_that_counts_other_rows_than_its_stripes_is_an_error(tmp_path):
    sf.from_arrow({"a": range(1000)}).to_orc(tmp_path / "a.orc", compression=None)
    data = (tmp_path / "a.orc").read_bytes()
    # `numberOfRows` is field 5 of a stripe, and field 6 of the footer.
    in_stripe, in_footer = b"\x28\xe8\x07", b"\x30\xe8\x07"
    assert data.count(in_stripe) == data.count(in_footer) == 1
    for told in (in_stripe, in_footer):
        (tmp_path / "bad.orc").write_bytes(data.replace(told, told[:1] + b"\xe7\x07"))
        with pytest.raises(sf.DecodeError, match=r"bad\.orc cannot be read as ORC: its footer counts other rows"):
            sf.read_orc(tmp_path / "bad.orc").to_arrow()


def test_a_remote_file_is_read_through_a_copy_that_goes(many, tmp_path, monkeypatch):
    path, table = many
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    with serve(page(path.read_bytes())) as url:
        frame = sf.read_orc(f"{url}/many.orc")
        assert frame.to_arrow().equals(table)
        assert frame.head(3)["n"].tolist() == [0, 1, 2]
    assert not list((tmp_path / "temp").iterdir())


def test_an_export_without_rows_keeps_its_columns(tmp_path):
    sf.from_arrow(TABLE).limit(0).to_orc(tmp_path / "a.orc")
    assert sf.read_orc(tmp_path / "a.orc").schema == TABLE.schema


@pytest.mark.parametrize(
    "kind",
    [
        *[pa.uint32(), pa.duration("s"), pa.time32("s"), pa.dictionary(pa.int32(), pa.string())],
        # Statistics of such values ended the process.
        *[pa.decimal128(10, -2), pa.struct([("x", pa.list_(pa.decimal128(10, -2)))])],
    ],
)
def test_what_orc_cannot_hold_is_named(tmp_path, kind):
    frame = sf.from_arrow(pa.table({"fine": [1], "odd": pa.array([None], kind)}))
    with pytest.raises(sf.SchemaError, match="'odd'"):
        frame.to_orc(tmp_path / "a.orc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"", b"ORC", b"PAR1" * 9, b"ORC" + b"\0" * 100])
def test_what_is_no_orc_is_told(tmp_path, data):
    (tmp_path / "a.orc").write_bytes(data)
    with pytest.raises(sf.DecodeError, match=r"a\.orc cannot be read as ORC"):
        sf.read_orc(tmp_path / "a.orc").to_arrow()


def test_a_truncated_file_is_an_error(many):
    path, _ = many
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(sf.DecodeError):
        sf.read_orc(path).count()


CHILD = """
import sys, streamframe as sf
try:
    print("rows", sf.read_orc(sys.argv[1]).to_arrow().num_rows)
except sf.StreamError as error:
    print("told", type(error).__name__)
"""


@pytest.mark.slow
def test_flipped_bytes_end_in_rows_or_in_an_error_of_ours(tmp_path):
    sf.from_arrow(TABLE).to_orc(tmp_path / "a.orc")
    good, chance = (tmp_path / "a.orc").read_bytes(), random.Random(5)
    told = 0
    for _ in range(25):
        data = bytearray(good)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        (tmp_path / "bad.orc").write_bytes(data)
        ran = subprocess.run([sys.executable, "-c", CHILD, tmp_path / "bad.orc"], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        told += ran.stdout.startswith("told")
    assert told


def test_a_footer_with_a_name_that_is_no_text_is_an_error(tmp_path):
    sf.from_arrow({"abcdef": [1]}).to_orc(tmp_path / "a.orc", compression=None)
    data = (tmp_path / "a.orc").read_bytes()
    assert b"abcdef" in data
    (tmp_path / "bad.orc").write_bytes(data.replace(b"abcdef", b"abcde\xf3"))
    with pytest.raises(sf.DecodeError, match=r"bad\.orc cannot be read as ORC"):
        sf.read_orc(tmp_path / "bad.orc").to_arrow()


@pytest.mark.parametrize(("compression", "columns"), [("zstd", 200), ("none", 370)])
def test_more_columns_than_their_buffers_fit_are_refused_before_anything_is_written(tmp_path, compression, columns):
    def export(count):
        batch = pa.record_batch([pa.array([1])] * count, names=[f"c{n}" for n in range(count)])
        return sf.from_arrow(batch).to_orc(tmp_path / "a.orc", compression=compression)

    with sf.options(memory="80MB"):
        report = export(columns - 50)
        assert report.peak_bytes > 40_000_000
        with pytest.raises(sf.BudgetError, match=rf"{columns:,} columns of ORC takes 8.* allows for 80 MB\n.*Parquet"):
            export(columns)
        assert sf.read_orc(tmp_path / "a.orc").count() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.orc"]
    with sf.options(memory="1MB"):
        assert export(100).rows == 1


def test_no_more_files_of_orc_are_open_than_their_columns_fit(tmp_path):
    rows = pa.table({"key": [n % 30 for n in range(3_000)], **{f"c{n}": range(3_000) for n in range(40)}})
    with sf.options(memory="128MB"):
        report = sf.from_arrow(rows).to_orc(tmp_path / "out", partition_by="key")
    assert report.peak_bytes < 128_000_000
    assert len(report.files) == 30
    assert sorted(sf.read_orc(tmp_path / "out").to_arrow()["c7"].to_pylist()) == list(range(3_000))
