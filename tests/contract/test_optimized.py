"""The optimizer changes what is read, never what comes out: optimized == naive, over generated plans."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.engines.local import LocalRun
from tests.contract.parts import csv_bytes, parquet_bytes, table

NAMES = ["id", "fare", "carrier", "late", "x", "y"]
DATA = table(600)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("optimized")
    (folder / "a.csv").write_bytes(csv_bytes(DATA))
    (folder / "a.parquet").write_bytes(parquet_bytes(DATA, row_group_rows=50))
    csv, parquet = sf.read_csv(folder / "a.csv"), sf.read_parquet(folder / "a.parquet")
    return {"csv": csv, "parquet": parquet, "memory": sf.from_arrow(DATA), "concat": sf.concat([parquet, parquet])}


PREDICATES = [
    lambda: sf.col("id") > 100,
    lambda: sf.col("id") % 7 == 0,
    lambda: sf.col("fare") < 90,
    lambda: sf.col("carrier") == "AA",
    lambda: (sf.col("id") >= 300) | sf.col("late"),
    lambda: sf.col("x").is_not_null(),
    lambda: sf.col("y") > sf.col("id"),
]
verbs = st.one_of(
    st.sampled_from(PREDICATES).map(lambda make: ("filter", lambda frame: frame.filter(make()))),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(
        lambda names: ("select", lambda frame: frame.select(*names))
    ),
    st.sampled_from(NAMES).map(lambda name: ("drop", lambda frame: frame.drop(name))),
    st.permutations(["id", "fare", "x"]).map(
        lambda names: ("rename", lambda frame: frame.rename(dict(zip(["id", "fare", "x"], names, strict=True))))
    ),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["id", "fare"])).map(
        lambda pair: ("with", lambda frame: frame.with_columns(**{pair[0]: sf.col(pair[1]) * 2 + 1}))
    ),
    st.sampled_from(["x", "y"]).map(lambda name: ("add", lambda frame: frame.with_columns(**{name: sf.col("id") - 5}))),
    st.just(("cast", lambda frame: frame.cast({"id": "float64"}))),
    st.tuples(st.integers(0, 50), st.integers(0, 400)).map(lambda pair: ("slice", lambda frame: frame.slice(*pair))),
    st.integers(1, 300).map(lambda n: ("limit", lambda frame: frame.limit(n))),
    st.integers(20, 200).map(lambda n: ("rebatch", lambda frame: frame.rebatch(rows=n))),
    st.sampled_from([0.2, 0.8]).map(lambda fraction: ("sample", lambda frame: frame.sample(fraction, seed=4))),
    st.sampled_from([7, 90]).map(lambda rows: ("shuffle", lambda frame: frame.shuffle(rows))),
    st.just(("map", lambda frame: frame.map_batches(_first_known, schema=frame.schema))),
    st.tuples(st.sampled_from(["carrier", "late", "x"]), st.sampled_from(["id", "fare"])).map(
        lambda pair: ("group", lambda frame: frame.group_by(pair[0]).agg(id=(pair[1], "max"), y=sf.count("id")))
    ),
    st.just(("all", lambda frame: frame.group_by().agg(id=("id", "min"), fare=("fare", "mean"), x=sf.count()))),
    st.just(("concat", lambda frame: sf.concat([frame, frame.limit(30)]))),
)


def _first_known(batch):
    # Looks at each row alone: where batches are cut is not defined.
    return batch.filter(batch.column(0).is_valid()) if batch.num_columns else batch


def outcome(plan, optimizer=None):
    """Return the rows of a plan, or the kind of error that a user would see."""
    try:
        run = LocalRun(plan, **({"optimizer": optimizer} if optimizer else {}))
    except sf.StreamError as error:
        return type(error)
    try:
        return [row for batch in run for row in batch.data.to_pylist()]
    except sf.StreamError as error:
        return type(error)
    finally:
        run.close()


@pytest.mark.slow
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(name=st.sampled_from(["csv", "parquet", "memory", "concat"]), steps=st.lists(verbs, max_size=6))
def test_an_optimized_plan_gives_the_rows_of_the_plan_as_written(sources, name, steps):
    frame = sources[name]
    for _, verb in steps:
        try:
            frame = verb(frame)
        except sf.StreamError:
            continue  # A verb that cannot work here is refused: the plan goes on without it.
    naive = outcome(frame._plan, optimizer=lambda plan, *_: plan)
    assert outcome(frame._plan) == naive


def test_a_swap_of_names_stands_when_one_of_them_is_not_needed():
    frame = sf.from_arrow({"a": [1], "b": [2]})
    swapped = frame.map_batches(_first_known, schema=frame.schema).rename({"a": "b", "b": "a"}).drop("a")
    assert swapped.to_arrow().to_pylist() == [{"b": 1}]


def test_a_filter_does_not_cross_a_limit():
    frame = sf.from_arrow({"n": list(range(10))}).limit(5).filter(sf.col("n") > 3)
    assert frame.to_arrow()["n"].to_pylist() == [4]


def test_a_filter_moves_below_steps_that_hand_its_columns_through(sources):
    # A plan goes by columns that are known: explain reads nothing.
    assert "fare" in sources["parquet"].columns
    frame = sources["parquet"].with_columns(twice=sf.col("fare") * 2).filter(sf.col("id") > 500).select("twice")
    explained = str(frame.explain())
    assert "where col('id') > 500" in explained
    assert "columns=2: id, fare" in explained


def test_aggregates_of_no_rows_know_their_columns_where_a_renamed_one_is_not_read():
    counted = sf.from_arrow({"a": [1], "b": [2]}).group_by().agg(a=("a", "min"), b=("b", "max"))
    empty = counted.filter(sf.col("a") > 1).rename({"a": "x", "b": "y"}).limit(1)
    assert empty.group_by().agg(least=("x", "min"), n=sf.count()).to_arrow().to_pylist() == [{"least": None, "n": 0}]
