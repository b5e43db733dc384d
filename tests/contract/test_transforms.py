"""Every transform: right on every source's kind of batches, named in reprs and errors, typed ahead."""

import pytest

import streamframe as sf
from tests.contract.parts import TRANSFORMS, csv_bytes, table


@pytest.fixture(params=["memory", "csv"])
def frame(request, tmp_path):
    data = table()
    if request.param == "memory":
        return sf.from_arrow(data).rebatch(rows=700)
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_bytes(data))
    return sf.read_csv(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_a_transform_makes_of_a_stream_what_it_makes_of_the_whole(frame, name):
    verb, expected = TRANSFORMS[name]
    assert verb(frame).to_arrow().to_pylist() == expected(table().to_pylist())


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_the_schema_foretold_is_the_schema_of_the_rows(frame, name):
    verb, _ = TRANSFORMS[name]
    made = verb(frame)
    assert made.schema.equals(made.to_arrow().schema)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_a_transform_of_no_rows_is_no_rows(name):
    verb, expected = TRANSFORMS[name]
    empty = sf.from_arrow(table(0))
    if expected([]) == [] and not name.startswith("Map"):
        assert verb(empty).to_arrow().num_rows == 0


NAMES_NO_COLUMN = {"MapBatches", "MapPandas", "Slice", "Rebatch", "Sample", "Shuffle", "Concat", "Tee"}


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - NAMES_NO_COLUMN))
def test_a_column_that_does_not_exist_is_told_with_its_step(tmp_path, name):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    verb, _ = TRANSFORMS[name]
    with pytest.raises(sf.ColumnNotFoundError) as raised:
        verb(sf.read_csv(path)).to_arrow()
    assert "Existing columns: a, b" in str(raised.value)
    assert raised.value.step == f"step 2 of 2: {raised.value.step.rpartition(' ')[2]}"


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_a_transform_is_shown_as_it_was_typed(frame, name):
    verb, _ = TRANSFORMS[name]
    assert verb(frame)._plan.describe().partition("(")[0] in repr(verb(frame))
