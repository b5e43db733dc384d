"""`errors=`: what cannot be read is made null, left out or kept aside, and all records are accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf

TYPES = {"id": "int64", "fare": "float64", "day": "date32", "name": "string"}
HEADER = b"id,fare,day,name\n"
# What stands in the file, and the column by which it is bad; "" where the record as a whole is.
CSV_RECORDS = {
    b"1,2.5,2024-01-31,ann": None,
    b"2,,,": None,
    b'-3,1e3,2024-02-29,"a, ""b""\nc"': None,
    b' 4 ,nan,NA,"NA"': None,
    b"x,1,2024-01-01,bob": "id",
    b"9223372036854775808,1,2024-01-01,bob": "id",
    b'"",1,2024-01-01,bob': "id",
    b"5,1.2.3,2024-01-01,bob": "fare",
    b"6,1,2024-02-30,bob": "day",
    b'7,1,"2024-\n01-01",bob': "day",
    b"8,1,2024-01-01,\xff\xfe": "name",
    b"y,z,w,\xff": "id",
    b"9,1,2024-01-01": "",
    b"10,1,2024-01-01,a,b": "",
    b"one": "",
    b"11,\xff": "",
    b"12,1,2024-01-01,\xfe,\xef\xbb": "",
}
NDJSON_RECORDS = {
    b'{"id":1,"fare":2.5,"day":"2024-01-31","name":"ann"}': None,
    b'{"name":null}': None,
    b'{"id":-3,"fare":1e3,"day":null,"name":"\\u00e4 \\n"}': None,
    b'{"id":4,"name":7}': None,
    b'{"id":"x","fare":1}': "id",
    b'{"id":1.5}': "id",
    b'{"id":5,"fare":"1.2"}': "fare",
    b'{"id":6,"day":"2024-02-30"}': "day",
    b'{"id":{"a":1},"fare":[]}': "id",
    b'{"id":7,"name":"\xff"}': "",
    b'{"id":8': "",
    b'"id":9}': "",
    b"[1,2]": "",
    b"nil": "",
    b'{"id":10}{"id":11}': "",
}
READ = {"csv": sf.read_csv, "ndjson": sf.read_ndjson}
RECORDS = {"csv": CSV_RECORDS, "ndjson": NDJSON_RECORDS}


def file_of(kind, records):
    return io.BytesIO((HEADER if kind == "csv" else b"") + b"".join(record + b"\n" for record in records))


def read(kind, records, errors):
    return READ[kind](file_of(kind, records), dtype=TYPES, errors=errors)


def run(frame):
    """Return the rows of a frame, and its stats."""
    with frame.iter_batches() as batches:
        rows = [row for batch in batches for row in batch.to_pylist()]
    return rows, batches.stats()


@pytest.mark.parametrize(
    ("kind", "record"), [(kind, record) for kind in RECORDS for record, bad in RECORDS[kind].items() if bad is not None]
)
def test_each_bad_record_is_told_with_its_place_column_and_bytes(kind, record):
    good, bad_column = next(iter(RECORDS[kind])), RECORDS[kind][record]
    frame = read(kind, [good, record, good], "quarantine")
    expected, _ = run(read(kind, [good, good], "raise"))
    rows, stats = run(frame)
    assert (repr(rows), stats.rejected, stats.nulled) == (repr(expected), 1, 0)
    (told,) = read(kind, [good, record, good], "quarantine").rejects().iter_rows()
    data = file_of(kind, [good, record, good]).getvalue()
    assert (told["row"], told["record"], told["column"] or "") == (2, record, bad_column)
    assert data[told["byte_offset"] :].startswith(record)
    assert told["reason"]


@pytest.mark.parametrize(
    ("kind", "record", "left"),
    [
        ("csv", b"x,1.2.3,2024-01-01,bob", {"id": None, "fare": None, "name": "bob"}),
        ("csv", b"6,1,2024-02-30,\xff", {"id": 6, "fare": 1.0, "day": None, "name": None}),
        ("ndjson", b'{"id":"x","fare":[1],"name":"bob"}', {"id": None, "fare": None, "name": "bob"}),
    ],
)
def test_with_null_the_values_that_can_be_read_are_kept(kind, record, left):
    rows, stats = run(read(kind, [record], "null"))
    assert (rows[0], stats.rejected, stats.nulled) == (rows[0] | left, 0, 2)


@pytest.mark.parametrize("kind", RECORDS)
def test_with_null_a_record_without_cells_is_left_out_and_counted(kind):
    without = [record for record, bad in RECORDS[kind].items() if bad == ""]
    rows, stats = run(read(kind, [next(iter(RECORDS[kind])), *without], "null"))
    assert (len(rows), stats.rejected, stats.nulled) == (1, len(without), 0)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(RECORDS)), st.lists(st.integers(0, 16), max_size=40), st.sampled_from(["skip", "quarantine"])
)
def test_good_and_rejected_together_are_all_records(kind, picked, errors):
    every = list(RECORDS[kind].items())
    records = [every[0], *(every[at % len(every)] for at in picked)]  # the first one has all columns
    expected, _ = run(read(kind, [record for record, bad in records if bad is None], "raise"))
    rows, stats = run(read(kind, [record for record, _ in records], errors))
    assert repr(rows) == repr(expected)
    assert len(rows) + stats.rejected == len(records)
    if errors == "quarantine":
        told = list(read(kind, [record for record, _ in records], errors).rejects().iter_rows())
        bad = [(at + 1, record) for at, (record, why) in enumerate(records) if why is not None]
        assert [(one["row"], one["record"]) for one in told] == bad


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECORDS)
def test_rows_keep_their_numbers_over_many_blocks_and_files(tmp_path, kind):
    count = 60_000
    for name in "ab":
        lines = [
            b"%d,%d" % (n, n) if kind == "csv" else json.dumps({"n": n, "again": n}).encode() for n in range(count)
        ]
        for bad in range(7, count, 997):
            lines[bad] = lines[bad].replace(b"%d" % bad, b'"late"')
        head = b"n,again\n" if kind == "csv" else b""
        (tmp_path / f"{name}.{kind}.gz").write_bytes(gzip.compress(head + b"\n".join(lines)))
    options = {"dtype": {"n": "int64", "again": "int64"}, "errors": "quarantine"}
    frame = READ[kind](tmp_path / f"*.{kind}.gz", **options)
    with sf.options(memory="4MB"):
        numbered = frame.with_columns(row=sf.source("row")).to_arrow()
        told = frame.rejects().to_arrow()
    bad = list(range(8, count + 1, 997))
    assert told["row"].to_pylist() == bad * 2
    assert [source[-8 - (kind == "ndjson") * 3 :][:1] for source in told["source"].to_pylist()] == ["a"] * len(bad) + [
        "b"
    ] * len(bad)
    assert pa.compute.equal(pa.compute.add(numbered["n"], 1), numbered["row"]).to_numpy().all()
    assert len(numbered) + len(told) == 2 * count


def test_what_is_rejected_can_be_mended_and_appended(tmp_path):
    records = list(CSV_RECORDS)
    report = read("csv", records, "quarantine").to_csv(tmp_path / "good.csv", rejects=tmp_path / "bad.parquet")
    bad = sf.read(tmp_path / "bad.parquet").to_arrow()
    assert (report.rows, report.rejected) == (4, len(bad))
    assert [name.rpartition("/")[2] for name in report.files] == ["good.csv", "bad.parquet"]
    assert "rejected" in repr(report)
    assert bad["record"].to_pylist() == [record for record, why in CSV_RECORDS.items() if why is not None]


def test_an_export_that_fails_leaves_both_files_as_they_were(tmp_path):
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    good.write_bytes(b"old")
    bad.write_bytes(b"old")

    def breaks(batch):
        raise RuntimeError("a bug of the user's")

    frame = read("csv", list(CSV_RECORDS), "quarantine").map_batches(breaks, schema=pa.schema([("a", "int64")]))
    with pytest.raises(RuntimeError, match="bug"):
        frame.to_parquet(good, rejects=bad)
    assert (good.read_bytes(), bad.read_bytes()) == (b"old", b"old")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_function_that_tells_its_columns_by_its_first_batch_costs_no_reject(tmp_path):
    frame = read("csv", list(CSV_RECORDS), "quarantine")
    report = frame.map_batches(lambda batch: batch).to_csv(tmp_path / "good.csv", rejects=tmp_path / "bad.parquet")
    assert report.rejected == sf.read(tmp_path / "bad.parquet").count() > 0


def test_columns_that_are_not_needed_are_not_looked_at():
    frame = read("csv", list(CSV_RECORDS), "skip").select("name")
    rows, stats = run(frame)
    assert (len(rows), stats.rejected) == (10, 7)  # those with too few or many fields, and what is no text


@pytest.mark.parametrize("kind", RECORDS)
def test_count_is_of_the_rows_that_come_and_makes_all_records_with_those_of_rejects(kind):
    frame = read(kind, list(RECORDS[kind]), "quarantine")
    assert frame.count() == len(frame.to_arrow()) == read(kind, list(RECORDS[kind]), "skip").count()
    assert frame.count() + frame.rejects().count() == len(RECORDS[kind])
    assert frame.select("name").count() == len(frame.select("name").to_arrow())


def test_count_leaves_out_lines_that_are_no_text():
    assert sf.read_lines(io.BytesIO(b"a\n\xff\nb\n"), errors="skip").count() == 2


def test_a_quote_that_is_never_closed_takes_one_record_with_it():
    frame = read("csv", [b"1,2,2024-01-01,a", b'2,3,2024-01-01,"b'], "quarantine")
    rows, stats = run(frame)
    assert ([row["id"] for row in rows], stats.rejected) == ([1], 1)
    (told,) = read("csv", [b'2,3,2024-01-01,"b'], "quarantine").rejects().iter_rows()
    assert (told["row"], told["record"], told["column"]) == (1, b'2,3,2024-01-01,"b\n', None)


def test_a_sample_with_bad_records_tells_the_columns_all_the_same():
    file = io.BytesIO(b"a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert sf.read_csv(file, errors="skip").to_arrow().to_pydict() == {"a": [1, 7], "b": [2, 8]}


def test_head_passes_over_bad_records():
    assert read("csv", [b"x,1,,", b"1,1,,", b"2,1,,"], "skip").head(1)["id"].tolist() == [1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECORDS)
def test_a_block_in_which_all_is_bad_is_read_as_well(kind):
    records = [b"a%d,1,2024-01-01,x" % n if kind == "csv" else b'{"id":"a%d"}' % n for n in range(2_000)]
    rows, stats = run(read(kind, records, "null"))
    assert (len(rows), stats.nulled) == (2_000, 2_000)
    rows, stats = run(read(kind, records, "skip"))
    assert (rows, stats.rejected) == ([], 2_000)


def test_the_same_as_the_csv_module_when_text_is_put_into_a_number_column():
    text = "n,t\n" + "".join(f'{n if n % 3 else "no"},"t{n}"\n' for n in range(5_000))
    expected = [int(n) if n != "no" else None for n, _ in list(csv.reader(io.StringIO(text)))[1:]]
    frame = sf.read_csv(io.BytesIO(text.encode()), dtype={"n": "int64"}, errors="null")
    assert frame.to_arrow()["n"].to_pylist() == expected


@pytest.mark.parametrize("kind", READ)
def test_verbs_work_on_rejects_as_on_any_rows(tmp_path, kind):
    """A step that runs outside of the decode pool saw none of them, and said nothing."""
    for name, numbers in (("one", range(40)), ("two", range(40, 60))):
        records = [b"%d" % number if number % 4 == 0 else next(iter(RECORDS[kind])) for number in numbers]
        (tmp_path / name).write_bytes(file_of(kind, records).read())
    frame = READ[kind](tmp_path / "one", dtype=TYPES, errors="quarantine")
    other = READ[kind](tmp_path / "two", dtype=TYPES, errors="quarantine")
    rows = frame.rejects().to_arrow()["row"].to_pylist()
    assert rows == list(range(1, 41, 4))
    assert frame.rejects().head(3)["row"].tolist() == rows[:3]
    assert frame.rejects().slice(2, 3).to_arrow()["row"].to_pylist() == rows[2:5]
    counted = frame.rejects().group_by("column").agg(n=sf.count()).to_arrow()
    assert counted["n"].to_pylist() == [10]
    both = sf.concat([frame.rejects(), other.rejects()])
    assert both.to_arrow()["record"].to_pylist() == [b"%d" % number for number in range(0, 60, 4)]


def test_what_cannot_be_meant_is_told_at_the_call(tmp_path):
    with pytest.raises(sf.PlanError, match="did you mean 'quarantine'"):
        sf.read_csv("a.csv", errors="quarantin")
    with pytest.raises(sf.PlanError, match="no rejects are kept"):
        sf.read_csv("a.csv", errors="skip").rejects()
    with pytest.raises(sf.PlanError, match="no rejects are kept"):
        sf.read_csv("a.csv").to_parquet(tmp_path / "a.parquet", rejects=tmp_path / "b.parquet")
    with pytest.raises(sf.PlanError, match="names no format"):
        sf.read_csv("a.csv", errors="quarantine").to_parquet(tmp_path / "a.parquet", rejects="b.txt")


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "parquet", "orc"])
def test_records_that_are_no_utf8_are_kept_in_csv_as_well(tmp_path, suffix):
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,\xff\n2,x\n3,y,z\n")
    rejects = tmp_path / f"rejects.{suffix}"
    report = sf.read_csv(tmp_path / "a.csv", errors="quarantine").to_parquet(tmp_path / "a.parquet", rejects=rejects)
    assert (report.rows, report.rejected) == (1, 2)
    found = sf.read(rejects).to_arrow()["record"].to_pylist()
    assert found == ([b"1,\xff", b"3,y,z"] if suffix in ("parquet", "orc") else ["1,\\xff", "3,y,z"])


def test_count_leaves_out_lines_of_fields_that_are_no_columns():
    frame = sf.read_ndjson(io.BytesIO(b'{"a":"\\ud800","b":1}\n{"a":"x"}\n'), errors="null")
    assert frame.count() == len(frame.to_arrow()) == 1


@pytest.mark.parametrize("schema", ["first", "union", "strict"])
@pytest.mark.parametrize("bad", [b"nope\n[1]\n", b"[1, nope]"])
def test_a_file_in_which_no_record_can_be_read_costs_no_row_of_the_others(tmp_path, bad, schema):
    """With schema="union" all of them were refused, whatever errors= said."""
    for place in range(3):
        texts = [b'{"a":1}\n', b'{"a":2}\n']
        texts.insert(place, bad)
        for name, text in zip("012", texts, strict=True):
            (tmp_path / f"{name}.ndjson").write_bytes(text)
        frame = sf.read_ndjson(tmp_path / "*.ndjson", errors="quarantine", schema=schema)
        assert frame.to_arrow().to_pylist() == [{"a": 1}, {"a": 2}], place
        assert frame.rejects().to_arrow()["row"].to_pylist() == [1, 2], place


def test_where_no_record_can_be_read_at_all_the_given_columns_are_enough():
    with pytest.raises(sf.DecodeError, match=r"without a record that can be read, .*: not JSON: 'nope'") as it:
        sf.read_ndjson(io.BytesIO(b"nope\n"), errors="quarantine").to_arrow()
    assert (it.value.row, it.value.byte_offset) == (1, 0)
    assert "dtype={...}" in it.value.hint
    frame = sf.read_ndjson(io.BytesIO(b"nope\n2\n"), dtype={"a": "int64"}, errors="quarantine")
    assert frame.to_arrow().to_pydict() == {"a": []}
    assert frame.rejects().to_arrow()["record"].to_pylist() == [b"nope", b"2"]
