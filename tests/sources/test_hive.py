"""Keys in paths: typed columns behind those of the files, and files that need not be opened."""

import datetime
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf


def put(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def lake(folder, years=(2023, 2024), carriers=("AA", "UA")):
    for year in years:
        for carrier in carriers:
            put(folder / f"year={year}" / f"carrier={carrier}" / "part.parquet", id=[year, year + 1])
    return folder


def rows(frame):
    return frame.to_arrow().to_pylist()


def test_keys_of_the_paths_become_typed_columns_behind_those_of_the_files(tmp_path):
    frame = sf.read_parquet(lake(tmp_path))
    assert frame.schema == pa.schema([("id", pa.int64()), ("year", pa.int64()), ("carrier", pa.string())])
    assert rows(frame)[2] == {"id": 2023, "year": 2023, "carrier": "UA"}
    assert frame.count() == 8
    assert rows(frame.select("carrier").limit(1)) == [{"carrier": "AA"}]


def test_types_are_found_over_all_paths(tmp_path):
    for n, (day, code) in enumerate(
        [("2024-01-31", "7"), ("__HIVE_DEFAULT_PARTITION__", "x%2Fy"), ("2024-02-01", "8")]
    ):
        put(tmp_path / f"day={day}" / f"code={code}" / f"{n}.parquet", n=[n])
    frame = sf.read_parquet(tmp_path)
    assert frame.schema.types[1:] == [pa.date32(), pa.string()]
    assert {row["n"]: (row["day"], row["code"]) for row in rows(frame)} == {
        0: (datetime.date(2024, 1, 31), "7"),
        1: (None, "x/y"),
        2: (datetime.date(2024, 2, 1), "8"),
    }


def test_types_of_keys_can_be_given(tmp_path):
    put(tmp_path / "zip=01234" / "a.parquet", n=[1])
    assert rows(sf.read_parquet(tmp_path))[0]["zip"] == "01234"
    assert rows(sf.read_parquet(tmp_path, hive={"zip": "int64"}))[0]["zip"] == 1234
    with pytest.raises(sf.SchemaError, match="no key of the paths"):
        sf.read_parquet(tmp_path, hive={"zap": "string"}).count()
    put(tmp_path / "zip=none" / "b.parquet", n=[1])
    with pytest.raises(sf.SchemaError, match=r"'none' in the path of .*zip=none/b.parquet, which is no int64"):
        sf.read_parquet(tmp_path, hive={"zip": "int64"}).count()


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
@pytest.mark.parametrize("schema", ["first", "union", "strict"])
def test_dtype_gives_types_to_keys_as_to_columns(tmp_path, suffix, schema):
    read = {"csv": sf.read_csv, "ndjson": sf.read_ndjson}[suffix]
    codes = sf.from_arrow({"code": ["07", "08"], "n": [1, 2]})
    getattr(codes, f"to_{suffix}")(tmp_path, partition_by="code")
    (tmp_path / "_streamframe.json").unlink()
    frame = read(tmp_path, dtype={"code": "string", "n": "string"}, schema=schema)
    assert rows(frame) == [{"n": "1", "code": "07"}, {"n": "2", "code": "08"}]
    assert rows(frame.filter(sf.col("code") == "08")) == [{"n": "2", "code": "08"}]
    assert rows(read(tmp_path, dtype={"code": "string"}, hive={"code": "int8"}, schema=schema).select("code")) == [
        {"code": 7},
        {"code": 8},
    ]
    with pytest.raises(sf.SchemaError, match=r"'code' is '07' in the path of .*, which is no bool"):
        read(tmp_path, dtype={"code": "bool"}, schema=schema).count()


def test_a_dtype_for_a_name_in_paths_that_are_no_columns_is_refused(tmp_path):
    (tmp_path / "code=7").mkdir()
    (tmp_path / "code=7" / "a.csv").write_text("n\n2\n")
    with pytest.raises(sf.ColumnNotFoundError, match="code"):
        sf.read_csv(tmp_path, dtype={"code": "string"}, hive=False).count()


def test_dtype_is_of_the_key_where_the_files_have_such_a_column_too(tmp_path):
    (tmp_path / "code=7").mkdir()
    (tmp_path / "code=7" / "a.csv").write_text("code,n\nx,2\n")
    assert rows(sf.read_csv(tmp_path, dtype={"code": "string", "n": "string"})) == [{"n": "2", "code": "7"}]
    assert rows(sf.read_csv(tmp_path, dtype={"code": "float64"})) == [{"n": 2, "code": 7.0}]


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize("empty", [True, False])
def test_what_infer_schema_says_of_a_directory_can_be_pasted_as_dtype(tmp_path, suffix, noted, empty):
    read = {"csv": sf.read_csv, "ndjson": sf.read_ndjson}[suffix]
    table = pa.table(
        {
            "n": [1, 2],
            "day": [datetime.date(2024, 1, 31), None],
            "code": ["07", "x"],
            "flag": [True, False],
            "at": pa.array([1_700_000_000_000_000, None], pa.timestamp("us", "UTC")),
        }
    )
    frame = sf.from_arrow(table.slice(0, 0) if empty else table)
    getattr(frame, f"to_{suffix}")(tmp_path, partition_by=["day", "code", "flag", "at"])
    if not noted and not empty:
        (tmp_path / "_streamframe.json").unlink()
    told = sf.infer_schema(tmp_path, format=suffix)
    assert list(told) == table.column_names
    pasted = read(tmp_path, dtype=told)
    assert pasted.schema == read(tmp_path).schema
    assert rows(pasted) == rows(read(tmp_path))
    assert pasted.count() == frame.count()


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_folder_that_is_no_utf_8_shows_its_bytes(tmp_path):
    folder = os.path.join(os.fsencode(tmp_path), b"k=a\xff")
    os.mkdir(folder)
    with open(os.path.join(folder, b"x.csv"), "w") as file:
        file.write("n\n1\n")
    assert rows(sf.read_csv(tmp_path)) == [{"n": 1, "k": "a\\udcff"}]


def test_keys_that_differ_are_no_columns_unless_they_are_asked_for(tmp_path):
    put(tmp_path / "a=1" / "x.parquet", n=[1])
    put(tmp_path / "b=1" / "x.parquet", n=[1])
    assert sf.read_parquet(tmp_path).columns == ["n"]
    with pytest.raises(sf.SchemaError, match="b=1"):
        sf.read_parquet(tmp_path, hive=True).count()


def test_only_folders_below_what_was_given_count_unless_they_are_asked_for(tmp_path):
    lake(tmp_path)
    assert sf.read_parquet(tmp_path / "year=2024").columns == ["id", "carrier"]
    assert sf.read_parquet(tmp_path / "year=*" / "carrier=AA" / "*.parquet").columns == ["id", "year", "carrier"]
    one = tmp_path / "year=2024" / "carrier=AA" / "part.parquet"
    assert sf.read_parquet(one).columns == ["id"]
    assert sf.read_parquet(one, hive=True).columns == ["id", "year", "carrier"]
    assert sf.read_parquet(tmp_path, hive=False).columns == ["id"]


def test_the_path_wins_over_a_column_of_the_same_name(tmp_path):
    put(tmp_path / "year=2024" / "a.parquet", year=["wrong"], n=[1])
    assert rows(sf.read_parquet(tmp_path)) == [{"n": 1, "year": 2024}]


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_text_files_have_keys_as_well(tmp_path, suffix):
    (tmp_path / "year=2024").mkdir()
    (tmp_path / "year=2024" / f"a.{suffix}").write_text({"csv": "n\n1\n", "ndjson": '{"n": 1}\n'}[suffix])
    read = {"csv": sf.read_csv, "ndjson": sf.read_ndjson}[suffix]
    assert rows(read(tmp_path).filter(sf.col("year") == 2024)) == [{"n": 1, "year": 2024}]
    assert rows(read(tmp_path, columns=["year"])) == [{"year": 2024}]


@pytest.mark.parametrize(
    "wanted",
    [
        [sf.col("year") == 2024],
        [(sf.col("year") == 2024) & (sf.col("id") > 0)],
        [sf.col("id") > 0, sf.col("year") > 2023],
        [sf.col("year").is_in([2024]) & sf.col("carrier").is_not_null()],
    ],
)
def test_files_that_cannot_match_are_not_opened(tmp_path, wanted):
    frame = sf.read_parquet(lake(tmp_path))
    assert frame.schema.names  # the first file is looked at for the columns
    for path in (tmp_path / "year=2023").rglob("*.parquet"):
        path.write_bytes(b"no Parquet at all")
    found = frame.filter(*wanted)
    assert {row["year"] for row in rows(found)} == {2024}
    assert "2 of 4 files" in found.explain()


def test_filters_of_pandas_spare_files_too(tmp_path):
    frame = sf.read_parquet(lake(tmp_path), filters=[("year", "=", 2024), ("id", ">", 2024)])
    assert len(rows(frame)) == 2
    assert "2 of 4 files" in frame.explain()


def test_no_file_is_left_where_none_can_match(tmp_path):
    frame = sf.read_parquet(lake(tmp_path)).filter(sf.col("year") == 1999)
    assert rows(frame) == []
    assert frame.count() == 0


def test_a_file_whose_key_is_null_matches_no_comparison_but_is_null(tmp_path):
    put(tmp_path / "year=__HIVE_DEFAULT_PARTITION__" / "a.parquet", n=[1])
    put(tmp_path / "year=2024" / "a.parquet", n=[2])
    frame = sf.read_parquet(tmp_path)
    assert rows(frame.filter(sf.col("year") != 2024)) == []
    assert rows(frame.filter(sf.col("year").is_null())) == [{"n": 1, "year": None}]


def test_conditions_on_keys_do_not_keep_row_groups_from_being_spared(tmp_path):
    path = tmp_path / "year=2024" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"id": range(10_000)}), path, row_group_size=1_000)
    frame = sf.read_parquet(tmp_path).filter((sf.col("year") == 2024) & (sf.col("id") >= 9_500))
    with frame.iter_batches() as batches:
        assert sum(batch.num_rows for batch in batches) == 500
        assert batches.stats().bytes_read < os.path.getsize(path) / 4


def test_a_new_file_with_other_keys_is_told_in_a_second_run(tmp_path):
    frame = sf.read_parquet(lake(tmp_path))
    assert frame.count() == 8
    put(tmp_path / "year=2025" / "a.parquet", id=[1])
    with pytest.raises(sf.SchemaError, match="year=2025"):
        frame.count()


def test_keys_come_back_in_the_types_they_were_written_with(tmp_path):
    moments = pa.array([0, None, -1], pa.timestamp("us"))
    written = pa.table(
        {
            "n": [0, 1, 2],
            "code": pa.array(["1", "2", None]),
            "day": ["2024-01-31", None, "2024-02-01"],
            "byte": pa.array([1, None, -3], pa.int8()),
            "large": pa.array([2**64 - 1, None, 0], pa.uint64()),
            "late": [True, None, False],
            "at": moments,
            "there": moments.cast(pa.timestamp("us", "Europe/Berlin")),
            "date64": pa.array([datetime.date(2024, 1, 1), None, datetime.date(1, 1, 1)], pa.date64()),
            "large_text": pa.array(["1", None, "2"], pa.large_string()),
        }
    )
    for verb, read in {"to_parquet": sf.read_parquet, "to_csv": sf.read_csv}.items():
        out = tmp_path / verb
        getattr(sf.from_arrow(written), verb)(out, partition_by=written.column_names[1:])
        back = read(out).to_arrow()
        assert back.schema == written.schema.remove_metadata()
        assert back.sort_by("n").to_pylist() == written.to_pylist()
        assert read(out).filter(sf.col("late")).select("n").to_arrow().to_pylist() == [{"n": 0}]
    # The reader has the last word, and one who asks for something else takes what the names of folders look like.
    assert sf.read_parquet(tmp_path / "to_parquet", hive={"code": "int64"}).schema.field("code").type == pa.int64()
    assert sf.read_parquet(tmp_path / "to_parquet" / "**" / "*.parquet").schema.field("code").type == pa.int64()


def test_text_that_was_a_dictionary_and_nulls_alone_are_text(tmp_path):
    written = pa.table({"n": [1, 2], "kind": pa.array(["1", "2"]).dictionary_encode(), "nothing": pa.nulls(2)})
    sf.from_arrow(written).to_parquet(tmp_path / "out", partition_by=["kind", "nothing"])
    frame = sf.read_parquet(tmp_path / "out")
    assert frame.schema == pa.schema([("n", pa.int64()), ("kind", pa.string()), ("nothing", pa.string())])
    assert rows(frame)[0] == {"n": 1, "kind": "1", "nothing": None}


def test_directories_that_disagree_about_a_key_are_read_by_what_its_values_look_like(tmp_path):
    sf.from_arrow({"k": ["1"], "n": [1]}).to_parquet(tmp_path / "a", partition_by="k")
    sf.from_arrow({"k": pa.array([2], pa.int8()), "n": [2]}).to_parquet(tmp_path / "b", partition_by="k")
    sf.from_arrow({"k": ["3"], "n": [3]}).to_parquet(tmp_path / "c", partition_by="k")
    assert sf.read_parquet([tmp_path / "a", tmp_path / "b"]).schema.field("k").type == pa.int64()
    assert rows(sf.read_parquet([tmp_path / "a", tmp_path / "c"])) == [{"n": 1, "k": "1"}, {"n": 3, "k": "3"}]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"schema": 1,\n "rows": 3}', b"\xff" * 100_000])
def test_a_manifest_that_tells_nothing_is_passed_over(tmp_path, damage):
    lake(tmp_path)
    (tmp_path / "_streamframe.json").write_bytes(damage)
    assert sf.read_parquet(tmp_path).schema.field("year").type == pa.int64()


def test_a_long_manifest_of_many_columns_is_read_up_to_its_rows(tmp_path):
    many = pa.table({"k": ["1"], **{f"column {number}": [1] for number in range(2_000)}})
    sf.from_arrow(many).to_parquet(tmp_path / "out", partition_by="k")
    assert (tmp_path / "out" / "_streamframe.json").stat().st_size > 128 << 10
    assert sf.read_parquet(tmp_path / "out").schema.field("k").type == pa.string()
