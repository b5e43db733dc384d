"""`on_widen="string"`: columns become text in which a value, however late, does not fit what the sample said."""

from __future__ import annotations

import json
import os

import pytest

import streamframe as sf
from streamframe.errors import DecodeError, PlanError

# Behind the sample at the start, and before the look at the middle.
ROWS = 120_000
LATE = 40_000


def csv_with(path, late, rows=ROWS):
    lines = [f"{row:06d},{row / 2},2024-01-{row % 28 + 1:02d}" for row in range(rows)]
    lines[LATE if rows > LATE else -1] = late
    path.write_text("code,fare,day\n" + "\n".join(lines) + "\n")
    return path


def ndjson_with(path, late):
    lines = [json.dumps({"n": row, "where": {"x": row}, "name": "a"}) for row in range(ROWS)]
    lines[LATE] = late
    path.write_text("\n".join(lines))
    return path


def test_a_late_word_among_numbers_makes_the_column_text_as_it_stands_in_the_file(tmp_path):
    path = csv_with(tmp_path / "a.csv", "A1,1.5,2024-01-01")
    frame = sf.read_csv(path, on_widen="string")
    rows = frame.select(["code", "fare"]).to_arrow()
    assert [str(kind) for kind in rows.schema.types] == ["string", "double"]
    assert rows["code"].to_pylist() == [f"{row:06d}" if row != LATE else "A1" for row in range(ROWS)]


def test_without_it_the_value_is_an_error(tmp_path):
    path = csv_with(tmp_path / "a.csv", "A1,1.5,2024-01-01")
    with pytest.raises(DecodeError, match="column 'code': cannot read 'A1' as int64"):
        sf.read_csv(path).to_arrow()


def test_every_column_is_found_and_not_only_the_first_of_a_record(tmp_path):
    path = csv_with(tmp_path / "a.csv", "A1,cheap,soon")
    frame = sf.read_csv(path, on_widen="string")
    assert {str(field.type) for field in frame.schema} == {"string"}
    assert frame.slice(LATE, 1).to_arrow().to_pylist() == [{"code": "A1", "fare": "cheap", "day": "soon"}]


def test_a_record_of_too_few_fields_hides_no_late_value_behind_it(tmp_path):
    path = csv_with(tmp_path / "a.csv", "ragged\nA1,2.5,2024-01-01")
    frame = sf.read_csv(path, on_widen="string", errors="quarantine")
    assert frame.schema.field("code").type == "string"
    assert frame.count() == ROWS
    assert [row["reason"] for row in frame.rejects().to_arrow().to_pylist()] == ["expected 3 fields, got 1"]


def test_types_that_were_given_stay_and_errors_decides(tmp_path):
    path = csv_with(tmp_path / "a.csv", "A1,cheap,2024-01-01")
    frame = sf.read_csv(path, on_widen="string", dtype={"code": "int64"}, errors="null")
    assert [str(kind) for kind in frame.schema.types] == ["int64", "string", "date32[day]"]
    assert frame.slice(LATE, 1).select(["code", "fare"]).to_arrow().to_pylist() == [{"code": None, "fare": "cheap"}]


@pytest.mark.parametrize("schema", ["first", "union", "strict"])
def test_a_later_file_counts_as_well(tmp_path, schema):
    csv_with(tmp_path / "1.csv", "7,1.5,2024-01-01", rows=10)
    csv_with(tmp_path / "2.csv", "A1,1.5,2024-01-01")
    frame = sf.read_csv(tmp_path / "*.csv", on_widen="string", schema=schema)
    assert frame.schema.field("code").type == "string"
    assert frame.slice(0, 1).to_arrow()["code"].to_pylist() == ["000000"]
    assert frame.count() == ROWS + 10
    # A second run meets what was frozen.
    assert frame.filter(sf.col("code") == "A1").count() == 1


def test_files_whose_samples_have_no_common_type_go_together_as_text(tmp_path):
    (tmp_path / "1.csv").write_text("code\n1\n")
    (tmp_path / "2.csv").write_text("code\nA1\n")
    frame = sf.read_csv(tmp_path / "*.csv", on_widen="string", schema="union")
    assert frame.to_arrow()["code"].to_pylist() == ["1", "A1"]


@pytest.mark.slow
def test_ndjson_gives_the_json_text_of_what_is_no_text(tmp_path):
    path = ndjson_with(tmp_path / "a.ndjson", '{"n": "late", "where": {"x": 1, "y": 2}, "name": 7}')
    frame = sf.read_ndjson(path, on_widen="string")
    assert {str(kind) for kind in frame.schema.types} == {"string"}
    assert frame.slice(LATE, 2).to_arrow().to_pylist() == [
        {"n": "late", "where": '{"x": 1, "y": 2}', "name": "7"},
        {"n": str(LATE + 1), "where": f'{{"x": {LATE + 1}}}', "name": "a"},
    ]


def test_the_dict_to_paste_reads_the_file(tmp_path):
    path = csv_with(tmp_path / "a.csv", "A1,1.5,2024-01-01")
    found = sf.infer_schema(path, on_widen="string")
    assert found == {"code": "string", "fare": "float64", "day": "date32[day]"}
    assert sf.read_csv(path, dtype=found).count() == ROWS


def test_an_input_that_can_be_read_once_is_refused_at_the_call():
    read_end, write_end = os.pipe()
    os.close(write_end)
    with os.fdopen(read_end, "rb") as once, pytest.raises(PlanError, match="can be read once"):
        sf.read_csv(once, on_widen="string")


def test_a_word_that_is_not_known_is_named_at_the_call():
    with pytest.raises(PlanError, match="on_widen='float64' is not known"):
        sf.read_csv("a.csv", on_widen="float64")
