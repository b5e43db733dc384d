"""`infer_schema`: what it returns can be pasted as `dtype=`, and gives the same schema again."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.schema import dtype_name, parse_dtype
from tests.contract.parts import csv_bytes, ipc_bytes, parquet_bytes, table


def test_what_it_returns_gives_the_same_schema_again(tmp_path):
    (tmp_path / "a.csv").write_bytes(csv_bytes(table(50)))
    found = sf.infer_schema(tmp_path / "a.csv")
    assert found["fare"] == "float64"
    pasted = eval(repr(found))
    assert sf.read_csv(tmp_path / "a.csv", dtype=pasted).schema == sf.read_csv(tmp_path / "a.csv").schema


def test_nested_types_of_ndjson_come_back_as_well(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_text(json.dumps({"p": {"x": 1, "a, b": [{"y<": "z"}]}, "n": None}) + "\n")
    found = sf.infer_schema(path)
    assert found == {"p": 'struct<x: int64, "a, b": list<struct<"y<": string>>>', "n": "string"}
    assert sf.read_ndjson(path, dtype=found).schema == sf.read_ndjson(path).schema


def test_the_suffix_or_the_format_tells_and_options_are_those_of_the_reader(tmp_path):
    (tmp_path / "a.parquet").write_bytes(parquet_bytes(table(5)))
    (tmp_path / "a.arrow").write_bytes(ipc_bytes(table(5)))
    found = sf.infer_schema(tmp_path / "a.parquet")
    assert found == {**sf.infer_schema(tmp_path / "a.arrow"), "time": "timestamp[ms]"}  # Parquet has no seconds
    (tmp_path / "a.tsv").write_text("x\ty\n1\t2\n")
    (tmp_path / "text").write_text("x;y\n1;2\n")
    assert sf.infer_schema(tmp_path / "a.tsv") == {"x": "int64", "y": "int64"}
    assert sf.infer_schema(tmp_path / "text", format="csv", sep=";") == {"x": "int64", "y": "int64"}
    with pytest.raises(sf.PlanError, match="has no argument 'delimiter'"):
        sf.infer_schema(tmp_path / "a.tsv", delimiter="x")
    with pytest.raises(sf.PlanError, match="format needs one of csv, ndjson, parquet, ipc"):
        sf.infer_schema(tmp_path / "text", format="cvs")


def test_of_a_directory_the_suffixes_of_its_files_tell(tmp_path):
    sf.from_arrow({"zip": ["x", "y"], "year": [2023, 2024]}).to_csv(tmp_path / "a", partition_by="year")
    found = sf.infer_schema(tmp_path / "a")
    assert found == {"zip": "string", "year": "int64"}
    assert sf.read_csv(tmp_path / "a", dtype=found).schema == sf.read_csv(tmp_path / "a").schema
    (tmp_path / "a" / "read.me").write_text("beside them")
    assert sf.infer_schema(tmp_path / "a") == found
    (tmp_path / "a" / "b.tsv").write_text("x\n")
    with pytest.raises(sf.PlanError, match="no suffix that tells a format"):
        sf.infer_schema(tmp_path / "a")


@pytest.mark.parametrize(
    ("named", "dtype"),
    [
        ("f8", pa.float64()),
        ("<i4", pa.int32()),
        (">u2", pa.uint16()),
        ("?", pa.bool_()),
        ("|b1", pa.bool_()),
        ("<U10", pa.string()),
        ("O", pa.string()),
        ("S3", pa.binary()),
        ("<M8[us]", pa.timestamp("us")),
        ("m8[ns]", pa.duration("ns")),
        (np.dtype(">i4"), pa.int32()),
        (np.dtype("<M8[ms]"), pa.timestamp("ms")),
        (np.float32, pa.float32()),
        ("Int64", pa.int64()),
        (pd.Int64Dtype(), pa.int64()),
        (pd.DatetimeTZDtype("us", "UTC"), pa.timestamp("us", "UTC")),
        (pd.ArrowDtype(pa.int8()), pa.int8()),
        ("datetime64[us, UTC]", pa.timestamp("us", "UTC")),
        ("category", pa.dictionary(pa.int32(), pa.string())),
        (pa.int32(), pa.int32()),
        (int, pa.int64()),
    ],
)
def test_types_go_by_the_names_of_pandas_numpy_arrow_and_python(named, dtype):
    assert parse_dtype(named) == dtype


@pytest.mark.parametrize("unknown", ["f1", "i3", "M8[weeks]", "struct<a>", "map<string>", "struct<a: nope>"])
def test_what_is_nearly_a_name_is_refused(unknown):
    with pytest.raises(sf.SchemaError, match="is not known"):
        parse_dtype(unknown)


@pytest.mark.parametrize(
    "dtype",
    [
        pa.struct([]),
        pa.struct([("a", pa.int64()), ('say "b": c', pa.decimal128(5, 2)), ("", pa.timestamp("us", "UTC"))]),
        pa.list_(pa.struct([("a", pa.map_(pa.string(), pa.list_(pa.float32())))])),
        pa.binary(3),
    ],
)
def test_the_name_of_a_nested_type_is_read_back(dtype):
    assert parse_dtype(dtype_name(dtype)) == dtype


@pytest.mark.parametrize("errors", ["raise", "quarantine"])
@pytest.mark.parametrize("long", ["x" * 5_000_000, "7" * 5_000_000, "a\n" * 2_500_000, "é" * 2_500_000])
def test_a_value_too_long_for_anything_else_is_text_and_its_neighbours_keep_their_types(tmp_path, errors, long):
    path = tmp_path / "a.csv"
    path.write_text(f'n,text,late\n1,"{long}",2.5\n2,y,4\n')
    made = sf.read_csv(path, errors=errors).to_arrow()
    assert made.schema.types == [pa.int64(), pa.string(), pa.float64()]
    assert made["text"].to_pylist() == [long, "y"]
