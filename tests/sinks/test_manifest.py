"""The manifest of a directory says where its rows come from, whoever wrote it and however it was asked to."""

from __future__ import annotations

import base64
import json
import os
import sqlite3

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.testing import page, serve
from tests.contract.parts import csv_bytes, table


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_bytes(table(100)))
    return path


def written(frame, folder, **options):
    frame.to_parquet(folder, mode="overwrite", **options)
    return json.loads((folder / "_streamframe.json").read_bytes())


def test_an_export_names_its_plan_its_source_and_how_far_it_came(path, tmp_path):
    found = written(sf.read_csv(path).select("id").limit(40), tmp_path / "out")
    assert [step.partition("(")[0] for step in found["plan"]] == ["read_csv", "select", "limit"]
    assert found["source"] == [
        f"{path}: {path.stat().st_size:,} bytes, changed at {path.stat().st_mtime_ns}",
    ]
    assert (found["last"]["rows"], found["last"]["mark"]["part"]) == (40, 0)
    assert "run" not in found


def test_the_name_of_a_source_need_not_be_text(path, tmp_path):
    """On Linux it is bytes; an export of such a file was a `UnicodeEncodeError` at its end."""
    odd = path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv"))
    assert written(sf.read_csv(odd), tmp_path / "out")["source"][0].startswith(f"{odd}: ")
    assert sf.read_parquet(tmp_path / "out").count() == 100


def test_folders_name_them_too_and_so_does_what_was_continued(path, tmp_path):
    frame = sf.read_csv([path, path])
    for options in ({"partition_by": "carrier"}, {"resume": True}):
        found = written(frame, tmp_path / "out", **options)
        assert len(found["source"]) == 2
        assert found["last"]["rows"] == found["rows"] == 200
    (tmp_path / "new.csv").write_bytes(path.read_bytes())
    frame = sf.read_csv(tmp_path / "*.csv")
    frame.to_csv(tmp_path / "on", resume=True)
    (tmp_path / "zuletzt.csv").write_bytes(path.read_bytes())
    assert frame.to_csv(tmp_path / "on", resume=True).kept_rows == 200
    found = json.loads((tmp_path / "on" / "_streamframe.json").read_bytes())
    assert [line.partition(":")[0].rpartition("/")[2] for line in found["source"]] == [
        "new.csv", "rows.csv", "zuletzt.csv"
    ]  # fmt: skip


def test_a_plan_in_whose_middle_nobody_goes_on_has_no_position(path, tmp_path):
    found = written(sf.read_csv(path).group_by("carrier").agg(n=sf.count()), tmp_path / "out")
    assert "group_by" in found["plan"][1]
    assert (len(found["source"]), found["last"]) == (1, None)


@pytest.mark.parametrize("name", [None, "clean"])
def test_a_function_is_known_by_its_name_or_not_at_all(path, tmp_path, name):
    found = written(sf.read_csv(path).map_batches(lambda batch: batch, name=name), tmp_path / "out")
    assert (found["plan"] is None, found["last"] is None) == (name is None, name is None)
    assert "rows.csv" in found["source"][0]


def test_a_query_is_told_by_all_of_its_text_and_never_by_its_parameters(tmp_path):
    def exported(query, **options):
        with sqlite3.connect(":memory:") as connection:
            found = written(sf.read_sql(query, connection, **options), tmp_path / "out")
        connection.close()
        return found

    first, second = (exported(f"select {n} as a, '{'x' * 90}' as b, {n}0 as c") for n in (1, 1))
    other = exported(f"select 1 as a, '{'x' * 90}' as b, 11 as c")
    assert first["plan"] == second["plan"] != other["plan"]
    assert first["source"] == other["source"]
    secret = exported("select ? as a", params=("geheim",))
    assert secret["plan"] is None
    assert "geheim" not in json.dumps(secret)


def test_no_request_is_made_for_it_and_no_secret_is_told(path, tmp_path):
    requests: list = []
    with serve(page(path.read_bytes()), requests) as url:
        frame = sf.read_csv(f"{url.replace('://', '://anna:geheim@')}/a.csv?key=geheim")
        list(frame.iter_batches())
        once = len(requests)
        found = written(frame, tmp_path / "out")
    assert len(requests) == 2 * once
    assert "a.csv" in found["source"][0]
    assert "geheim" not in json.dumps(found)
    assert "geheim" not in base64.b64decode(found["schema"]["arrow"]).decode(errors="replace")


def test_what_a_finished_export_says_of_itself_lets_no_other_go_on(path, tmp_path):
    sf.read_csv(path).to_csv(tmp_path / "out/", mode="error")
    with pytest.raises(sf.SinkError, match="holds files already"):
        sf.read_csv(path).to_csv(tmp_path / "out", resume=True)
    sf.read_csv(path).to_csv(tmp_path / "out", resume=True, mode="append")
    assert sf.read_csv(tmp_path / "out").count() == 200


def test_what_a_tee_writes_has_no_origin_of_its_own(path, tmp_path):
    frame = sf.read_csv(path).tee(tmp_path / "part.csv")
    found = written(frame, tmp_path / "out")
    assert "tee(" in found["plan"][1]
    assert found["last"] is None


def test_rows_in_memory_are_named_and_not_read_once_more(tmp_path):
    seen = []

    def batches():
        seen.append(1)
        return iter([pa.record_batch({"a": [1]})])

    found = written(sf.from_batches(batches), tmp_path / "out")
    assert (len(found["source"]), len(seen)) == (1, 1)
