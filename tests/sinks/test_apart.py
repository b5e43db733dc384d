"""One run writes to several places, which have to be apart."""

import os

import pytest

import streamframe as sf


@pytest.fixture
def dirty(tmp_path):
    (tmp_path / "q.csv").write_text("a\n1\nx\n")
    return sf.read_csv(tmp_path / "q.csv", dtype={"a": "int64"}, errors="quarantine")


def refused(call):
    with pytest.raises(sf.PlanError, match="write to one place"):
        call()


def test_rejects_cannot_take_the_place_of_the_rows(dirty, tmp_path):
    out = tmp_path / "out.parquet"
    refused(lambda: dirty.to_parquet(out, rejects=out))
    refused(lambda: dirty.to_parquet(out, rejects=f"file://{out}"))
    refused(lambda: dirty.to_parquet(out, rejects=os.path.relpath(out)))
    assert os.listdir(tmp_path) == ["q.csv"]


def test_rejects_cannot_lie_in_the_directory_that_is_replaced(dirty, tmp_path):
    (tmp_path / "out").mkdir()
    refused(lambda: dirty.to_parquet(tmp_path / "out", mode="overwrite", rejects=tmp_path / "out" / "rejects.parquet"))
    refused(lambda: dirty.to_parquet("memory://apart/out/", rejects="memory://apart/out/rejects.parquet"))
    report = dirty.to_parquet(tmp_path / "out", mode="overwrite", rejects=tmp_path / "out.rejects.parquet")
    assert [sf.read(file).count() for file in report.files] == [1, 1]


def test_a_tee_cannot_be_written_over(tmp_path):
    frame = sf.from_arrow({"a": [1, 2]})
    out = tmp_path / "t.csv"
    refused(lambda: frame.tee(out).filter(sf.col("a") > 1).to_csv(out))
    refused(lambda: frame.tee(out).tee(out).to_csv(tmp_path / "u.csv"))
    frame.tee(out).filter(sf.col("a") > 1).to_csv(tmp_path / "u.csv")
    assert [sf.read_csv(path).count() for path in (out, tmp_path / "u.csv")] == [2, 1]


def test_a_place_is_known_however_it_is_spelled(dirty, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    refused(lambda: dirty.to_parquet("~/a b.parquet", rejects=tmp_path / "a b.parquet"))
    refused(lambda: dirty.to_parquet(tmp_path / "a b.parquet", rejects=f"file://{tmp_path}/a%20b.parquet"))
    refused(lambda: dirty.to_parquet(tmp_path / "a b.parquet", rejects=f"local://{tmp_path}/a b.parquet"))


def test_a_link_to_the_target_is_the_target(dirty, tmp_path):
    (tmp_path / "link.parquet").symlink_to(tmp_path / "out.parquet")
    refused(lambda: dirty.to_parquet(tmp_path / "out.parquet", rejects=tmp_path / "link.parquet"))
