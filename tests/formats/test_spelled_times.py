"""Times that have no text, in exports to text."""

import pyarrow as pa
import pytest

import streamframe as sf

LAST, BEYOND = 11_248_736 * 86_400, 11_248_738 * 86_400
WRITERS = ["csv", "ndjson"]


def seconds(*values, zone=None):
    return pa.array(values, pa.int64()).cast(pa.timestamp("s", zone))


def written(tmp_path, kind, column):
    return getattr(sf.from_arrow(pa.table({"n": range(len(column)), "until": column})), f"to_{kind}")(tmp_path / "out")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    "column",
    [
        *[seconds(0, BEYOND), seconds(0, -BEYOND * 2, None), seconds(BEYOND, zone="Europe/Berlin")],
        pa.array([2**63 - 1], pa.int64()).cast(pa.timestamp("us")),
        pa.array([-(2**63)], pa.int64()).cast(pa.timestamp("ms", "UTC")),
        pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
        seconds(0, BEYOND).dictionary_encode(),
    ],
)
def test_a_time_that_has_no_text_is_an_error_and_no_text(tmp_path, kind, column):
    with pytest.raises(sf.SchemaError, match=r"column 'until' holds a time beyond the year 32,767") as caught:
        written(tmp_path, kind, column)
    assert caught.value.column == "until"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[], [2**62]]).cast(pa.list_(pa.timestamp("s"))),
        pa.array([[("a", 0)], [("b", 2**62)]], pa.map_(pa.string(), pa.int64())).cast(
            pa.map_(pa.string(), pa.timestamp("s"))
        ),
        pa.StructArray.from_arrays([seconds(0, BEYOND)], ["x"]),
    ],
)
def test_nor_has_one_inside_of_others(tmp_path, column):
    with pytest.raises(sf.SchemaError, match="'until'"):
        written(tmp_path, "ndjson", column)
    # What lies outside of a slice, or in a null, is nobody's.
    assert written(tmp_path, "ndjson", column.slice(0, 1)).rows == 1
    with pytest.raises(sf.SchemaError, match="'until'"):
        written(tmp_path, "ndjson", column.slice(1))


@pytest.mark.parametrize("kind", WRITERS)
def test_the_last_times_that_have_one_are_written(tmp_path, kind):
    assert written(tmp_path, kind, seconds(LAST, -LAST, None, zone="UTC")).rows == 3
    assert "value" not in (tmp_path / "out").read_text()
    assert written(tmp_path, kind, pa.array([2**63 - 1, -(2**63), None]).cast(pa.timestamp("ns"))).rows == 3
    assert "value" not in (tmp_path / "out").read_text()
