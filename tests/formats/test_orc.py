"""ORC: rows come back as they went, stripe by stripe, and damage is told."""

from __future__ import annotations

import datetime
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
    "kind", [pa.uint32(), pa.duration("s"), pa.time32("s"), pa.dictionary(pa.int32(), pa.string())]
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
