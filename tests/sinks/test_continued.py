"""What goes on where an earlier export was has to be the same export: its rows, its settings, and its counts."""

import gzip

import pandas as pd
import pyarrow as pa
import pytest

import streamframe as sf

BATCHES = [pa.record_batch({"n": [number] * 10}) for number in range(10)]


def stops_behind(batches):
    seen = [0]

    def step(batch):
        seen[0] += 1
        if seen[0] > batches:
            raise RuntimeError
        return batch

    return step


def export(folder, stop=99, **settings):
    frame = sf.from_batches(BATCHES).map_batches(stops_behind(stop), name="step")
    return frame.to_csv(folder, resume=True, max_rows_per_file=10, **settings)


def stopped(folder):
    with pytest.raises(RuntimeError):
        export(folder, stop=7)
    return folder


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"header": False}, "header=True, and this export has False"),
        ({"sep": ";"}, "sep=',', and this export has ';'"),
        ({"compression": "gzip"}, "compression='infer', and this export has 'gzip'"),
    ],
)
def test_an_export_does_not_go_on_with_other_settings(tmp_path, settings, told):
    folder = stopped(tmp_path / "out")
    with pytest.raises(sf.ResumeError, match=told):
        export(folder, **settings)
    assert export(folder).kept_rows == 70
    with pytest.raises(sf.ResumeError, match=told):
        export(folder, **settings)
    assert sf.read_csv(folder).count() == 100


def test_files_that_could_not_be_read_together_are_not_appended(tmp_path):
    frame = sf.from_arrow({"n": [1]})
    frame.to_csv(tmp_path / "out/", mode="append")
    with pytest.raises(sf.SinkError, match="sep=',', and this export has ';'"):
        frame.to_csv(tmp_path / "out/", mode="append", sep=";")
    frame.to_csv(tmp_path / "out/", mode="append", na_rep="NA")
    assert sf.read_csv(tmp_path / "out").count() == 2


def test_what_is_appended_behind_a_finished_export_is_another_one_with_settings_of_its_own(tmp_path):
    export(tmp_path / "out")
    report = sf.from_arrow({"n": [1]}).to_csv(tmp_path / "out", mode="append", resume=True, na_rep="NA")
    assert (report.rows, sf.read_csv(tmp_path / "out").count()) == (1, 101)
    with pytest.raises(sf.SinkError, match="columns n: int64, and this export has n: string"):
        sf.from_arrow({"n": ["x", "y"]}).to_csv(tmp_path / "out", mode="append", resume=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda values: sf.from_arrow({"a": values}),
        lambda values: sf.from_arrow(pa.record_batch({"a": values})),
        lambda values: sf.from_pandas(pd.DataFrame({"a": values})),
        lambda values: sf.from_batches([pa.record_batch({"a": values})]),
        lambda values: sf.from_pandas([pd.DataFrame({"a": values})]),
        lambda values: sf.from_arrow({"a": pa.array(values).dictionary_encode()}),
    ],
)
def test_rows_in_memory_that_have_changed_are_another_source(tmp_path, make):
    make([1, 2]).to_parquet(tmp_path / "out", resume=True)
    assert make([1, 2]).to_parquet(tmp_path / "out", resume=True).kept_rows == 2
    with pytest.raises(sf.ResumeError, match="source 1 has changed"):
        make([7, 8]).to_parquet(tmp_path / "out", resume=True)
    with make([1, 2]).iter_batches() as batches:
        next(batches)
        mark = batches.checkpoint()
    assert list(make([1, 2]).iter_batches(resume=mark)) == []
    with pytest.raises(sf.ResumeError, match="source 1 has changed"):
        list(make([1, 9]).iter_batches(resume=mark))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
@pytest.mark.parametrize(("errors", "counted"), [("skip", "rejected"), ("null", "nulled")])
def test_what_could_not_be_read_is_counted_once_over_all_runs(tmp_path, suffix, errors, counted):
    text = "n\n" + "".join(f"{n}\n" if n % 10 else f"bad{n}\n" for n in range(60_000))
    path = tmp_path / f"r.{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix == "csv.gz" else text.encode())

    def run(stop):
        frame = sf.read_csv(path, dtype={"n": "int64"}, errors=errors).rebatch(rows=1000)
        return frame.map_batches(stops_behind(stop), name="step").to_csv(
            tmp_path / "out", resume=True, max_rows_per_file=7_000
        )

    with sf.options(memory="1MB"):
        for stop in (20, 15):
            with pytest.raises(RuntimeError):
                run(stop)
        reports = [run(999), run(999)]
    rows = 54_000 if errors == "skip" else 60_000
    assert [(report.rows, getattr(report, counted)) for report in reports] == [(rows, 6_000)] * 2
    found = sf.read_csv(tmp_path / "out").to_arrow()["n"].to_pylist()
    expected = [n if n % 10 else None for n in range(60_000)]
    assert found == ([n for n in expected if n is not None] if errors == "skip" else expected)
