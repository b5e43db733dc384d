"""Keys become folders that cannot leave the base, and come back as what they were."""

from __future__ import annotations

import datetime
import os
import resource
from collections import Counter

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.sinks.partitioning import Partitioning

NULL = "__HIVE_DEFAULT_PARTITION__"
VALUES = [
    "AA", "..", ".", "../../x", "a/b", "a\\b", "a\0b", "a=b", "50%", "a%2Fb", "", None, NULL, "é x+y", "~", "'q'", '"',
    "\n", "日本", "007", "a:b*?<>|", "x" * 240,
]  # fmt: skip


@pytest.fixture
def odd(tmp_path):
    """Write a row for each odd value, and return the directory."""
    rows = pa.table({"i": range(len(VALUES)), "k": VALUES})
    sf.from_arrow(rows).to_parquet(tmp_path / "out", partition_by="k")
    return tmp_path / "out"


def read_with_pyarrow(folder):
    text = ds.partitioning(pa.schema([("k", pa.string())]), flavor="hive")
    return ds.dataset(folder, partitioning=text).to_table(columns=["i", "k"]).to_pylist()


def read_with_duckdb(folder):
    query = (
        f"select i, k from read_parquet('{folder}/**/*.parquet', hive_partitioning=true, hive_types={{'k': 'varchar'}})"
    )
    return [{"i": i, "k": k} for i, k in duckdb.sql(query).fetchall()]


def read_with_ours(folder):
    return list(sf.read_parquet(folder).iter_rows())


def test_odd_values_stay_below_the_base(odd, tmp_path):
    assert os.listdir(tmp_path) == ["out"]
    folders = [name for name in os.listdir(odd) if not name.startswith("_")]
    assert len(folders) == len(VALUES)
    assert all(name.startswith("k=") and os.listdir(odd / name) == ["part-00000.parquet"] for name in folders)


@pytest.mark.parametrize("read", [read_with_ours, read_with_duckdb, read_with_pyarrow])
def test_odd_values_come_back(odd, read):
    found = {row["i"]: row["k"] for row in read(odd)}
    if read is read_with_pyarrow:
        # pyarrow decodes before it asks for null, so this one text is beyond it.
        assert found.pop(VALUES.index(NULL)) is None
    assert found == {i: VALUES[i] for i in found}
    assert len(found) >= len(VALUES) - 1


def test_keys_have_more_combinations_than_a_number_of_32_bits():
    count = 60_000
    rows = pa.record_batch({"a": range(count), "b": range(count), "n": range(count)})
    folders, folder_of_row = Partitioning(rows.schema, ["a", "b"]).split(rows)
    assert folders == [f"a={number}/b={number}" for number in range(count)]
    assert folder_of_row.tolist() == list(range(count))


def test_a_value_that_no_folder_can_be_called_is_told_with_its_column(tmp_path):
    with pytest.raises(sf.SchemaError, match=r"'k' would name folders with 3,002 bytes, and 2,048") as caught:
        sf.from_arrow(pa.table({"i": [1], "k": ["x" * 3000]})).to_parquet(tmp_path / "out", partition_by="k")
    assert caught.value.column == "k"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["timestamp[s]", "timestamp[s, UTC]", "date32"])
@pytest.mark.parametrize("far", [-(10**6), 10**7, 2**31 - 1])
def test_a_time_that_no_text_says_is_refused(tmp_path, kind, far):
    """Two of them became one folder, or a folder that could not be read."""
    types = {"date32": pa.date32(), "timestamp[s]": pa.timestamp("s"), "timestamp[s, UTC]": pa.timestamp("s", "UTC")}
    days = pa.array([0, far, far - 1], pa.int32())
    times = days.cast(types[kind]) if kind == "date32" else pc.multiply(days.cast(pa.int64()), 86_400).cast(types[kind])
    frame = sf.from_arrow(pa.table({"i": [1, 2, 3], "k": times}))
    with pytest.raises(sf.SchemaError, match=r"'k' would name a folder .*, which is not read as the") as caught:
        frame.to_parquet(tmp_path / "out", partition_by="k")
    assert caught.value.column == "k"
    assert os.listdir(tmp_path) == []


LONG = [
    "x" * 300,
    "x" * 301,
    "x" * 253,
    "é" * 300,
    "😀" * 70,
    " " * 300,
    "a/b" * 120,
    "%41" * 100,
    NULL * 12,
    "+=x",
    "",
    None,
]


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson"])
def test_values_that_are_longer_than_a_name_may_be_come_back(tmp_path, kind):
    rows = pa.table({"i": range(len(LONG)), "k": LONG, "m": ["m"] * len(LONG)})
    out, read = tmp_path / "out", getattr(sf, f"read_{kind}")

    def write(rows, **options):
        getattr(sf.from_arrow(rows), f"to_{kind}")(out, partition_by=["k", "m"], **options)

    def found():
        return [(row["i"], row["k"], row["m"]) for row in sorted(read(out).iter_rows(), key=lambda row: row["i"])]

    write(rows)
    assert found() == [(i, k, "m") for i, k in enumerate(LONG)]
    assert all(len(name.encode()) <= 255 for folder in os.walk(out) for name in folder[1])
    write(rows.slice(0, 1), mode="append")
    assert found()[:2] == [(0, LONG[0], "m")] * 2
    write(rows.slice(2, 1), mode="overwrite")
    assert found() == [(2, LONG[2], "m")]
    assert os.listdir(out / f"k={LONG[2]}") == ["m=m"]
    assert len([name for name in os.listdir(out) if name.startswith("k=")]) == 1


def test_duckdb_does_not_take_a_part_of_a_long_value_for_all_of_it(tmp_path):
    sf.from_arrow({"i": [1, 2], "k": ["x" * 300, "short"]}).to_parquet(tmp_path / "out", partition_by="k")
    with pytest.raises(duckdb.Error, match="mismatch"):
        read_with_duckdb(tmp_path / "out")


def test_keys_of_every_allowed_type_are_spelled_as_readers_expect(tmp_path):
    moment = datetime.datetime(2013, 1, 2, 3, 4, 5)
    for name, values, folders in [
        ("int", pa.array([1, -2, None], pa.int16()), ["1", "-2", NULL]),
        ("bool", pa.array([True, False, None]), ["true", "false", NULL]),
        ("date", pa.array([datetime.date(2013, 1, 2)]), ["2013-01-02"]),
        ("time", pa.array([moment], pa.timestamp("s")), ["2013-01-02T03%3A04%3A05"]),
        ("zoned", pa.array([moment], pa.timestamp("s", "UTC")), ["2013-01-02T03%3A04%3A05Z"]),
        ("dictionary", pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b"]),
        ("large", pa.array(["a/b"], pa.large_string()), ["a%2Fb"]),
        ("view", pa.array(["a"], pa.string_view()), ["a"]),
        ("null", pa.nulls(2), [NULL]),
    ]:
        rows = pa.table({"k": values, "i": range(len(values))})
        report = sf.from_arrow(rows).to_parquet(tmp_path / name, partition_by="k")
        assert {file.split("/")[-2] for file in report.files} == {f"k={folder}" for folder in folders}
        assert pq.ParquetFile(report.files[0]).schema_arrow.names == ["i"]


def test_keys_that_make_no_folders_are_refused_by_name(tmp_path):
    rows = sf.from_arrow(pa.table({"f": [1.5], "l": [[1]], "b": [b"x"], "i": [1]}))
    for key in "flb":
        with pytest.raises(sf.SchemaError, match=f"column '{key}' of type"):
            rows.to_parquet(tmp_path / "out", partition_by=key)
    with pytest.raises(sf.ColumnNotFoundError):
        rows.to_parquet(tmp_path / "out", partition_by="carier")
    with pytest.raises(sf.SchemaError, match="none is left"):
        rows.select("i").to_parquet(tmp_path / "out", partition_by="i")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize(("open_files", "memory"), [(64, "256MB"), (1, "256MB"), (3, "2MB")])
def test_rows_come_into_their_folder_once_and_in_order(datasets, tmp_path, open_files, memory):
    flights = sf.read_parquet(datasets / "flights.parquet").select("carrier", "origin", "dest", "flight", "time_hour")
    flights = flights.limit(20_000)
    with sf.options(memory=memory):
        report = flights.to_parquet(tmp_path / "out", partition_by=["origin", "carrier"], max_open_files=open_files)
    expected: dict[tuple, list] = {}
    for row in flights.iter_rows():
        expected.setdefault((row.pop("origin"), row.pop("carrier")), []).append(row)
    found: dict[tuple, list] = {}
    for file in report.files:
        origin, carrier = (folder.partition("=")[2] for folder in file.split("/")[-3:-1])
        found.setdefault((origin, carrier), []).extend(pq.ParquetFile(file).read().to_pylist())
    assert found == expected


def test_many_keys_make_one_file_each_and_few_open_files(datasets, tmp_path):
    flights = sf.read_parquet(datasets / "flights.parquet").select("tailnum", "flight", "dest").limit(800)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What is open now, what is written, what is being closed, and a few for the reader.
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 8 + 16 + 8, limit[1]))
    try:
        with sf.options(memory="2MB"):
            report = flights.to_csv(tmp_path / "out", partition_by="tailnum", max_open_files=8)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    counts = Counter(row["tailnum"] for row in flights.iter_rows())
    assert len(report.files) == len(counts)
    assert report.peak_bytes <= 2_000_000


def test_a_stream_sorted_by_key_needs_no_more_than_one_open_file_and_no_spill(tmp_path):
    rows = pa.table({"day": [i // 1000 for i in range(50_000)], "i": range(50_000)})
    report = sf.from_batches(rows.to_batches(max_chunksize=1000)).to_parquet(
        tmp_path / "out", partition_by="day", max_open_files=2
    )
    assert len(report.files) == 50
    assert sum(pq.read_metadata(file).num_rows for file in report.files) == 50_000


def test_rows_that_waited_on_disk_stay_before_later_ones(tmp_path):
    few_then_many = ["a"] * 40_000 + ["b"] * 10 + ["b"] * 40_000
    rows = pa.table({"k": few_then_many, "i": range(len(few_then_many)), "t": ["x" * 40] * len(few_then_many)})
    with sf.options(memory="4MB"):
        frame = sf.from_batches(rows.to_batches(max_chunksize=2003))
        report = frame.to_parquet(tmp_path / "out", partition_by="k", max_open_files=1)
    later = [pq.ParquetFile(file).read()["i"].to_pylist() for file in report.files if "k=b" in file]
    assert [i for file in later for i in file] == list(range(40_000, len(few_then_many)))


def test_what_all_encoders_keep_together_stays_within_the_budget(datasets, tmp_path):
    flights = sf.read_parquet(datasets / "flights.parquet").limit(150_000)
    with sf.options(memory="16MB"):
        report = flights.to_parquet(tmp_path / "out", partition_by="carrier")
    assert report.peak_bytes <= 16_000_000


def test_keys_whose_names_look_hidden_are_read_back(tmp_path):
    for name in ("_x", ".x"):
        sf.from_arrow({name: ["a"], "b": [1]}).to_parquet(tmp_path / name, partition_by=name)
        assert sf.read_parquet(tmp_path / name).to_arrow().to_pylist() == [{"b": 1, name: "a"}]


def test_a_key_without_a_name_is_refused(tmp_path):
    with pytest.raises(sf.SchemaError, match="without a name"):
        sf.from_arrow({"": ["a"], "b": [1]}).to_parquet(tmp_path / "out", partition_by="")


@pytest.mark.parametrize("name", ["k" * 255, "é" * 127 + "x", "%" * 85])
def test_a_key_whose_name_is_longer_than_that_of_a_folder_is_refused(tmp_path, name):
    frame = sf.from_arrow({name: ["x"], name[:-1]: ["y"], "i": [1]})
    with pytest.raises(sf.SchemaError, match=r"the name of column .* is longer than the 255 bytes"):
        frame.to_parquet(tmp_path / "out", partition_by=name)
    frame.to_parquet(tmp_path / "out", partition_by=name[:-1])
    assert list(sf.read_parquet(tmp_path / "out").iter_rows()) == list(frame.select(name, "i", name[:-1]).iter_rows())


def test_without_a_manifest_codes_with_zeros_in_front_stay_text_and_months_are_numbers(tmp_path):
    rows = {"n": [1, 2], "zip": ["01234", "00501"], "month": ["01", "12"]}
    sf.from_arrow(rows).to_parquet(tmp_path / "out", partition_by=["zip", "month"])
    assert sf.read_parquet(tmp_path / "out").to_arrow().sort_by("n").to_pydict() == rows
    (tmp_path / "out" / "_streamframe.json").unlink()
    found = sf.read_parquet(tmp_path / "out").to_arrow().sort_by("n").to_pydict()
    assert found == {**rows, "month": [1, 12]}
