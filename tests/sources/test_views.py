"""polars has text as views; here it is text, so that every verb and every export takes it."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf

FRAME = pl.DataFrame(
    {
        "s": ["a", "longer than twelve letters", None, ""],
        "l": [["x"], ["y", None], None, []],
        "c": pl.Series(["u", "v", None, "u"], dtype=pl.Categorical),
        "b": [b"1", b"\xff", None, b""],
        "st": [{"q": "a"}, {"q": None}, None, {"q": "z"}],
    }
)


@pytest.fixture(params=["from_arrow", "from_batches", "ipc", "ipc zstd", "ipc stream", "parquet"])
def frame(request, tmp_path):
    """The same rows from everywhere that views come from."""
    if request.param == "from_arrow":
        return sf.from_arrow(FRAME)
    if request.param == "from_batches":
        return sf.from_batches(list(pa.table(FRAME).to_batches()))
    if request.param == "parquet":
        table = pa.table(FRAME)
        words = table["c"].cast(pa.dictionary(pa.uint32(), pa.string()))  # Arrow writes no others
        pq.write_table(table.set_column(2, "c", words), tmp_path / "a.parquet")
        return sf.read(tmp_path / "a.parquet")
    if request.param == "ipc stream":
        FRAME.write_ipc_stream(tmp_path / "a.arrows")
        return sf.read(tmp_path / "a.arrows")
    FRAME.write_ipc(tmp_path / "a.arrow", compression="zstd" if request.param == "ipc zstd" else "uncompressed")
    return sf.read(tmp_path / "a.arrow")


def test_views_become_text_and_nothing_is_lost(frame):
    assert "view" not in str(frame.schema)
    assert frame.to_arrow().schema.equals(frame.schema)
    assert pl.from_arrow(frame.to_arrow()).equals(FRAME)


def test_every_verb_takes_what_polars_made(frame):
    assert frame.head(4)["s"].tolist()[:2] == FRAME["s"].to_list()[:2]
    assert frame.filter(sf.col("s") == "a").count() == 1
    assert frame.shuffle(seed=1).count() == frame.sample(fraction=1.0, seed=1).count() == 4
    assert frame.select("s").extract("(?P<first>.)", column="s", unmatched="null").to_arrow()["first"].to_pylist()[
        :2
    ] == ["a", "l"]
    assert frame.group_by("s").agg(n=sf.count()).count() == 4
    assert sf.concat([frame.select("s"), sf.from_arrow({"s": ["more"]})]).count() == 5


def test_every_export_takes_what_polars_made(frame, tmp_path):
    frame.select("s", "c").to_csv(tmp_path / "o.csv")
    frame.drop("c").to_orc(tmp_path / "o.orc")
    frame.drop("b").to_ndjson(tmp_path / "o.ndjson")
    frame.to_parquet(tmp_path / "o", partition_by="s")
    for path in ("o.csv", "o.orc", "o.ndjson"):
        assert sf.read(tmp_path / path).count() == 4
    assert sf.read_parquet(tmp_path / "o").count() == 4
