"""Every sink: what went in comes out, the target is old or new, and nothing stays beside it."""

import pytest

import streamframe as sf
from tests.contract.parts import SINKS, table


@pytest.fixture(params=sorted(SINKS))
def sink(request):
    return SINKS[request.param]


def test_what_is_written_is_what_is_read_back(sink, tmp_path):
    export, read_back = sink
    target = tmp_path / "out"
    report = export(sf.from_arrow(table()), target)
    assert read_back(target).to_pylist() == table().to_pylist()
    assert report.rows == table().num_rows
    assert report.bytes_written == target.stat().st_size
    assert report.files == (str(target),)


def test_an_export_that_fails_leaves_the_target_as_it_was(sink, tmp_path):
    export, _ = sink
    target = tmp_path / "out"
    target.write_bytes(b"old")

    def fails(batch):
        if batch["id"][0].as_py() > 1000:
            raise RuntimeError("mine")
        return batch

    with pytest.raises(RuntimeError, match="mine") as raised:
        export(sf.from_arrow(table()).rebatch(rows=500).map_batches(fails), target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert any("map_batches(fails)" in note or "map_batches" in note for note in raised.value.__notes__)


def test_an_export_replaces_the_target_whole(sink, tmp_path):
    export, read_back = sink
    target = tmp_path / "out"
    target.write_bytes(b"x" * 10_000_000)
    export(sf.from_arrow(table(10)), target)
    assert read_back(target).num_rows == 10
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_no_rows_make_a_file_with_the_columns(sink, tmp_path):
    export, read_back = sink
    target = tmp_path / "out"
    report = export(sf.from_arrow(table(0)), target)
    assert report.rows == 0
    assert read_back(target).column_names == table().column_names


def test_a_directory_that_does_not_exist_is_told_before_anything_is_written(sink, tmp_path):
    export, _ = sink
    with pytest.raises(sf.SinkError, match="does not exist"):
        export(sf.from_arrow(table(10)), tmp_path / "nowhere" / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_waits_in_a_sink_is_counted(sink, tmp_path):
    export, _ = sink
    with sf.options(memory="8MB"):
        report = export(sf.from_arrow(table(50_000)), tmp_path / "out")
    assert report.peak_bytes <= 8_000_000
