"""Groups: right for every type and edge, in the order of their first rows, in any memory."""

from __future__ import annotations

import datetime as dt
import math
import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.engines.local import LocalRun
from streamframe.testing import serve, stalls_after
from streamframe.transforms.merging import Merging
from streamframe.transforms.partials import Layout

DAY = dt.datetime(2013, 1, 1)


def grouped(keys, values, function, batch_rows=2):
    """Return {key: result} of one function."""
    frame = sf.from_arrow({"k": keys, "v": values}).rebatch(rows=batch_rows)
    table = frame.group_by("k").agg(v=("v", function)).to_arrow()
    return dict(zip(table["k"].to_pylist(), table["v"].to_pylist(), strict=True))


def whole(values, function, batch_rows=2):
    """Return the result of one function over all rows, and its type."""
    table = sf.from_arrow({"v": values}).rebatch(rows=batch_rows).group_by().agg(v=("v", function)).to_arrow()
    return table["v"][0].as_py(), table.schema.field("v").type


# ------------------------------------------------------------------ results


def test_the_flights_are_grouped_as_by_polars_and_duckdb(datasets):
    duckdb, pl = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    path = datasets / "flights.parquet"
    ours = (
        sf.read_parquet(path)
        .filter(sf.col("month") > 3)
        .group_by("carrier", "origin")
        .agg(n=sf.count(), known=("dep_delay", "count"), delay=("dep_delay", "sum"), mean=("air_time", "mean"),
             far=("distance", "max"), tail=("tailnum", "min"), last=("time_hour", "max"))
        .to_arrow()
    )  # fmt: skip
    flights = pl.scan_parquet(path).filter(pl.col("month") > 3)
    polars = flights.group_by("carrier", "origin", maintain_order=True).agg(
        n=pl.len(), known=pl.col("dep_delay").count(), delay=pl.col("dep_delay").sum(), mean=pl.col("air_time").mean(),
        far=pl.col("distance").max(), tail=pl.col("tailnum").min(), last=pl.col("time_hour").max(),
    )  # fmt: skip
    assert ours.to_pylist() == polars.collect().to_dicts()
    duck = duckdb.sql(
        f"select carrier, origin, count(*), count(dep_delay), sum(dep_delay), avg(air_time), max(distance), "
        f"min(tailnum) from '{path}' where month > 3 group by all"
    ).fetchall()
    assert sorted(tuple(row.values())[:8] for row in ours.to_pylist()) == sorted(duck)


rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-2, 2)),
        st.sampled_from(["a", "b", None, ""]),
        st.one_of(st.none(), st.integers(-(2**62), 2**62)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(rows=rows, batch_rows=st.integers(1, 9))
def test_groups_are_what_plain_python_makes_of_the_rows(rows, batch_rows):
    schema = pa.schema({"a": pa.int64(), "b": pa.string(), "v": pa.int64()})
    table = pa.Table.from_pylist([dict(zip("abv", row, strict=True)) for row in rows], schema=schema)
    frame = sf.from_arrow(table).rebatch(rows=batch_rows).group_by("a", "b")
    made = frame.agg(n=sf.count(), known=("v", "count"), least=("v", "min"), top=("v", "max"), mean=("v", "mean"))
    expected: dict[tuple, list] = {}
    for a, b, v in rows:
        expected.setdefault((a, b), []).append(v)
    result = made.to_arrow().to_pylist()
    assert [(row["a"], row["b"]) for row in result] == list(expected)
    for row, values in zip(result, expected.values(), strict=True):
        known = [value for value in values if value is not None]
        assert (row["n"], row["known"]) == (len(values), len(known))
        assert (row["least"], row["top"]) == ((min(known), max(known)) if known else (None, None))
        assert row["mean"] == (pytest.approx(sum(known) / len(known)) if known else None)


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["1MB", "256MB"])
def test_more_groups_than_memory_come_out_whole_and_in_order(memory):
    count = 120_000
    keys = pa.array(range(count)).cast(pa.string())
    table = pa.concat_tables([pa.table({"k": keys, "v": [1.5] * count})] * 2)
    with sf.options(memory=memory):
        made = sf.from_arrow(table).group_by("k").agg(n=sf.count(), v=("v", "sum"), m=("v", "mean")).to_arrow()
    assert made["k"].combine_chunks().equals(keys)
    assert set(made["n"].to_pylist()) == {2}
    assert set(made["v"].to_pylist()) == {3.0}
    assert set(made["m"].to_pylist()) == {1.5}


def test_the_sum_of_floats_does_not_depend_on_the_number_of_workers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("k,v\n" + "".join(f"{i % 3},{math.sin(i) * 10 ** (i % 17)}\n" for i in range(60_000)))
    made = []
    for workers in (1, 4):
        with sf.options(memory="4MB", workers=workers):
            made.append(sf.read_csv(path).group_by("k").agg(v=("v", "sum")).to_arrow())
    assert made[0].equals(made[1])


# --------------------------------------------------------------------- keys


def test_null_is_a_group_of_its_own():
    assert grouped(["a", None, "a", None], [1, 2, 3, 4], "sum") == {"a": 4, None: 6}


def test_all_nans_are_one_group_and_both_zeros_are():
    frame = sf.from_arrow({"k": [0.0, math.nan, -0.0, -math.nan]}).rebatch(rows=1)
    made = frame.group_by("k").agg(n=sf.count()).to_arrow()
    assert made["n"].to_pylist() == [2, 2]
    assert math.copysign(1, made["k"][0].as_py()) == 1


@pytest.mark.parametrize(
    "keys",
    [
        pa.array([True, False, True, None]),
        pa.array([DAY, None, DAY, DAY], pa.timestamp("us", "UTC")),
        pa.array([DAY.date(), None, None, DAY.date()]),
        pa.array([Decimal("1.10"), Decimal("1.1"), None, Decimal(2)], pa.decimal128(9, 2)),
        pa.array([b"x", b"", None, b"x"]),
        pa.array(["x", "y", "x", None], pa.large_string()),
        pa.array([5, 5, None, 7], pa.duration("s")),
        pa.nulls(4),
    ],
    ids=lambda array: str(array.type),
)
def test_any_flat_type_can_be_a_key(keys):
    frame = sf.from_arrow({"k": keys}).rebatch(rows=3)
    made = frame.group_by("k").agg(n=sf.count()).to_arrow()
    assert made.schema.field("k").type == keys.type
    values = keys.to_pylist()
    counts = {value: values.count(value) for value in values}
    assert list(zip(made["k"].to_pylist(), made["n"].to_pylist(), strict=True)) == list(counts.items())


def test_categories_of_different_batches_are_one_key_each():
    batches = [pa.table({"k": pa.array(keys).dictionary_encode()}) for keys in (["b", "a"], ["a", None])]
    frame = sf.from_batches([batch.to_batches()[0] for batch in batches])
    made = frame.group_by("k").agg(n=sf.count(), top=("k", "max")).to_arrow()
    assert made.to_pylist() == [
        {"k": "b", "n": 1, "top": "b"},
        {"k": "a", "n": 2, "top": "a"},
        {"k": None, "n": 1, "top": None},
    ]
    assert pa.types.is_dictionary(made.schema.field("k").type)


def test_keys_and_values_may_be_computed():
    frame = sf.from_arrow({"n": [1, 2, 3]})
    made = frame.group_by((sf.col("n") % 2).alias("odd")).agg(twice=(sf.col("n") * 2, "sum"))
    assert made.to_arrow().to_pylist() == [{"odd": 1, "twice": 8}, {"odd": 0, "twice": 4}]


# ---------------------------------------------------------------- functions


def test_a_sum_that_overflows_on_its_way_is_right_in_the_end():
    values = [2**63 - 1, 2**63 - 1, -(2**63), -5]
    assert whole(values, "sum", batch_rows=1) == whole(values, "sum", batch_rows=4) == (2**63 - 7, pa.int64())


@pytest.mark.parametrize("batch_rows", [1, 2])
@pytest.mark.parametrize("dtype", [pa.int64(), pa.uint64(), pa.duration("s"), pa.decimal128(38, 0)], ids=str)
def test_a_sum_that_does_not_fit_is_an_error_with_a_remedy(dtype, batch_rows):
    most = 10**38 - 1 if pa.types.is_decimal(dtype) else 2**64 - 1 if dtype == pa.uint64() else 2**63 - 1
    values = pa.array([Decimal(most)] * 2 if pa.types.is_decimal(dtype) else [most] * 2, dtype)
    with pytest.raises(sf.DecodeError, match="does not fit") as raised:
        whole(values, "sum", batch_rows)
    assert raised.value.column == "v"
    assert "cast the column" in raised.value.hint


def test_the_mean_of_large_integers_does_not_overflow():
    assert whole([2**63 - 1] * 4, "mean") == (float(2**63), pa.float64())


@pytest.mark.parametrize(
    ("dtype", "values", "total", "total_type"),
    [
        (pa.int8(), [100, 100, None], 200, pa.int64()),
        (pa.uint16(), [65535, 1, None], 65536, pa.uint64()),
        (pa.bool_(), [True, True, None], 2, pa.int64()),
        (pa.float32(), [0.5, 1.0, None], 1.5, pa.float64()),
        (pa.float16(), [0.5, 1.0, None], 1.5, pa.float64()),
        (pa.decimal128(5, 2), [Decimal("999.99"), Decimal("0.01"), None], Decimal("1000.00"), pa.decimal128(38, 2)),
        (pa.decimal32(5, 2), [Decimal("999.99"), Decimal("0.01"), None], Decimal("1000.00"), pa.decimal128(38, 2)),
        (pa.duration("s"), [dt.timedelta(1), dt.timedelta(2), None], dt.timedelta(3), pa.duration("s")),
        (pa.null(), [None, None, None], None, pa.int64()),
    ],
    ids=str,
)
def test_sums_have_room_to_grow(dtype, values, total, total_type):
    assert whole(pa.array(values, dtype), "sum") == (total, total_type)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pa.string(), ["b", None, "é", "a"]),
        (pa.large_string(), ["b", None, "é", "a"]),
        (pa.binary(), [b"b", None, b"\xff", b"a"]),
        (pa.date32(), [dt.date(2013, 1, day) for day in (3, 1, 2)]),
        (pa.timestamp("ns"), [DAY, None, DAY + dt.timedelta(1)]),
        (pa.timestamp("s", "Europe/Paris"), [DAY.replace(tzinfo=dt.UTC), None]),
        (pa.time64("us"), [dt.time(1), dt.time(0), None]),
        (pa.duration("ms"), [dt.timedelta(1), dt.timedelta(-1), None]),
        (pa.decimal128(38, 2), [Decimal("1.5"), Decimal("-2"), None]),
        (pa.decimal64(9, 2), [Decimal("1.5"), Decimal("-2"), None]),
        (pa.float16(), [1.5, 0.5, None]),
        (pa.bool_(), [True, False, None]),
    ],
    ids=lambda value: str(value) if isinstance(value, pa.DataType) else "",
)
def test_the_least_and_the_most_of_any_ordered_type(dtype, values):
    known = [value for value in values if value is not None]
    least, kind = whole(pa.array(values, dtype), "min")
    assert kind == dtype
    assert least == min(known)
    assert grouped(["k"] * len(values), pa.array(values, dtype), "max") == {"k": max(known)}


def test_a_group_of_nulls_alone_has_no_sum_and_no_mean():
    for function, result in [("sum", None), ("mean", None), ("min", None), ("max", None), ("count", 0)]:
        assert grouped(["a", "a"], pa.array([None, None], pa.float64()), function) == {"a": result}


def test_nan_takes_part_in_sums_but_is_neither_least_nor_most():
    assert math.isnan(whole([1.0, math.nan], "sum")[0])
    assert whole([math.nan, 1.0, math.nan], "max", batch_rows=1)[0] == 1.0


# ------------------------------------------------------------------ no rows


def test_of_no_rows_there_is_no_group_but_one_row_without_keys():
    frame = sf.from_arrow({"k": pa.array([], pa.string()), "v": pa.array([], pa.int64())})
    assert frame.group_by("k").agg(n=sf.count()).to_arrow().num_rows == 0
    made = frame.group_by().agg(n=sf.count(), v=("v", "sum"), m=("v", "mean"))
    assert made.to_arrow().to_pylist() == [{"n": 0, "v": None, "m": None}]
    assert made.schema.equals(made.to_arrow().schema)


def test_of_no_rows_after_a_filter_the_one_row_counts_none(datasets):
    frame = sf.read_parquet(datasets / "flights.parquet").filter(sf.col("month") > 12)
    assert frame.group_by().agg(n=sf.count()).to_arrow().to_pylist() == [{"n": 0}]


def test_a_function_of_unknown_columns_can_be_grouped():
    frame = sf.from_arrow({"n": [1, 2, 3]}).map_batches(
        lambda batch: {"half": [n // 2 for n in batch["n"].to_pylist()]}
    )
    assert frame.group_by("half").agg(n=sf.count()).to_arrow().to_pylist() == [{"half": 0, "n": 1}, {"half": 1, "n": 2}]


# ----------------------------------------------------------------- the plan


@pytest.fixture
def flights(datasets):
    return sf.read_parquet(datasets / "flights.parquet")


def test_only_keys_and_operands_are_read(flights):
    assert flights.schema
    plan = flights.filter(sf.col("month") > 6).group_by("carrier").agg(far=("distance", "max"))
    explained = str(plan.explain())
    assert "columns=3: month, carrier, distance" in explained
    assert "where col('month') > 6" in explained
    assert "decode pool, then your thread, needs all rows first" in explained


def test_what_nobody_asks_for_is_not_computed(flights):
    assert flights.schema
    plan = flights.group_by("carrier").agg(far=("distance", "max"), late=("dep_delay", "sum")).select("far")
    assert "columns=2: carrier, distance" in str(plan.explain())


def test_a_filter_above_groups_stays_there(flights):
    groups = flights.group_by("carrier").agg(n=sf.count()).filter(sf.col("n") > 50_000)
    assert sorted(groups.to_arrow()["carrier"].to_pylist()) == ["B6", "EV", "UA"]


def test_groups_are_counted_by_count(flights):
    assert flights.group_by("carrier").agg(n=sf.count(), far=("distance", "max")).count() == 16
    assert flights.group_by().agg(n=sf.count()).count() == 1


def test_groups_can_be_grouped_and_exported(flights, tmp_path):
    groups = flights.group_by("carrier", "origin").agg(n=sf.count())
    report = groups.group_by("origin").agg(carriers=sf.count(), n=("n", "sum")).to_parquet(tmp_path / "out.parquet")
    assert report.rows == 3
    assert report.bytes_read > 0
    assert sum(sf.read_parquet(tmp_path / "out.parquet").to_arrow()["n"].to_pylist()) == flights.count()


@pytest.mark.slow
def test_closing_in_the_middle_of_spilled_groups_leaves_no_file_open():
    before = len(os.listdir("/proc/self/fd"))
    frame = sf.from_arrow({"k": list(range(100_000))})
    with sf.options(memory="1MB"), frame.group_by("k").agg(n=sf.count()).iter_batches() as batches:
        next(batches)
        assert len(os.listdir("/proc/self/fd")) > before
    assert len(os.listdir("/proc/self/fd")) == before
    assert batches._run.stats().bytes_buffered == 0


def test_closing_while_rows_are_awaited_hands_out_no_groups_of_a_part_of_them():
    body = b"k,v\n" + b"1,2\n" * 100_000
    # In blocks so small that some are decoded before the stall.
    with sf.options(memory="2MB"), serve(stalls_after(300_000, body)) as url, ThreadPoolExecutor(1) as other:
        batches = sf.read_csv(url).group_by("k").agg(v=("v", "sum")).iter_batches()
        assert batches.schema
        made = other.submit(lambda: list(batches))
        while batches.stats().bytes_read < 300_000 or batches.stats().waiting_on != "source":
            pass
        batches.close()
        assert made.result(timeout=10) == []


# ------------------------------------------------------------------- errors


def test_a_missing_column_is_told_at_the_call_where_columns_are_known():
    frame = sf.from_arrow({"fare": [1]}).select("fare")
    assert frame.schema
    with pytest.raises(sf.ColumnNotFoundError, match="did you mean 'fare'"):
        frame.group_by("fair").agg(n=sf.count())
    with pytest.raises(sf.ColumnNotFoundError, match="did you mean 'fare'"):
        frame.group_by().agg(n=("fair", "sum"))


@pytest.mark.parametrize(
    ("column", "function"), [("text", "sum"), ("text", "mean"), ("list", "min"), ("when", "mean"), ("when", "sum")]
)
def test_a_function_that_a_type_cannot_take_is_told_before_a_row_is_read(column, function):
    frame = sf.from_arrow({"text": ["a"], "list": [[1]], "when": [DAY]})
    with pytest.raises(sf.SchemaError, match=f"{function} of column '{column}' cannot be computed") as raised:
        assert frame.group_by().agg(x=(column, function)).schema
    assert raised.value.column == column


def test_a_list_cannot_be_a_key():
    with pytest.raises(sf.SchemaError, match="cannot group by column 'list'"):
        assert sf.from_arrow({"list": [[1]]}).group_by("list").agg(n=sf.count()).schema


def test_two_results_of_one_name_are_refused():
    with pytest.raises(sf.PlanError, match="two columns named 'k'"):
        assert sf.from_arrow({"k": [1]}).group_by("k").agg(k=sf.count()).schema


def test_the_spellings_of_pandas_and_polars_are_told_ours():
    pl = pytest.importorskip("polars")
    groups = sf.from_arrow({"k": [1], "fare": [1]}).group_by("k")
    with pytest.raises(AttributeError, match=r'agg\(result=\("column", "sum"\)\)'):
        groups.sum()
    with pytest.raises(sf.PlanError) as raised:
        groups.agg({"fare": "sum"})
    assert raised.value.hint == "write agg(fare=('fare', 'sum'))."
    for wrong in (pl.col("fare").sum(), "sum", sf.col("fare")):
        with pytest.raises(sf.PlanError, match="agg") as raised:
            groups.agg(total=wrong)
        assert 'agg(total=("fare", "sum"), n=sf.count())' in raised.value.hint
        with pytest.raises(sf.PlanError, match="a name for each result"):
            groups.agg(wrong)
    with pytest.raises(sf.PlanError, match="no function 'average'"):
        groups.agg(m=("fare", "average"))
    with pytest.raises(sf.PlanError, match="needs a result"):
        groups.agg()
    with pytest.raises(sf.PlanError, match="in brackets"):
        groups["fare"]
    with pytest.raises(AttributeError, match="here it is group_by"):
        sf.from_arrow({"k": [1]}).groupby("k")


def test_partials_of_few_rows_do_not_pile_up():
    """Each holds kilobytes besides its rows: of a long stream that would be more than all groups."""
    frame = sf.from_arrow({"k": ["a", "b"]})
    layout = Layout([sf.col("k")], [("n", sf.count())], frame.schema)
    run = LocalRun(frame._plan)
    try:
        with Merging(layout, run) as merging:
            for _ in range(3000):
                merging.add(layout.reduce(pa.record_batch({"k": ["a", "b"]})))
                assert len(merging._waiting) < 1000
            (merged,) = merging.merged()
            assert layout.finish(merged).to_pydict() == {"k": ["a", "b"], "n": [3000, 3000]}
    finally:
        run.close()


# ------------------------------------------------------- behind a filter

FILTERED = pa.table(
    {
        "text": ["a", "b", None, "a", "c", "b"] * 4,
        "number": pa.array([1, None, 3, 1, 1 << 40, None] * 4),
        "near": pa.array([3, 4, None, 3, 4, 4] * 4, pa.int16()),
        "value": pa.array([None if row % 5 == 2 else row for row in range(24)]),
        "real": pa.array([None if row % 7 == 2 else row / 3 for row in range(24)]),
        "asked": pa.array([None if row % 6 == 1 else row for row in range(24)]),
    }
)


@pytest.mark.parametrize(
    "keys", [["text"], ["number"], ["near"], ["near", "text"], ["text", "number", "near"], ["real"]]
)
@pytest.mark.parametrize("most", [-1, 0, 3, 17, 100])
def test_groups_behind_a_filter_are_those_of_the_rows_that_pass(keys, most):
    """Whatever the share of rows that pass, and wherever the condition is null."""
    made = (
        sf.from_arrow(FILTERED)
        .rebatch(rows=9)
        .filter(sf.col("asked") <= most)
        .group_by(*keys)
        .agg(
            n=sf.count(), total=("value", "sum"), known=("real", "count"), least=("near", "min"), mean=("real", "mean")
        )
        .to_arrow()
    )
    passing = FILTERED.filter([asked is not None and asked <= most for asked in FILTERED["asked"].to_pylist()])
    expected = sf.from_arrow(passing).rebatch(rows=9).group_by(*keys).agg(
        n=sf.count(), total=("value", "sum"), known=("real", "count"), least=("near", "min"), mean=("real", "mean")
    )  # fmt: skip
    assert made.equals(expected.to_arrow())


def test_nothing_is_computed_of_a_row_that_was_filtered_out():
    numbers = sf.from_arrow({"text": ["1", "x", "3"], "n": [1, 2, 3]})
    made = numbers.filter(sf.col("n") != 2).group_by("n").agg(total=(sf.col("text").cast("int64"), "sum"))
    with pytest.raises(sf.DecodeError, match="x"):
        numbers.group_by("n").agg(total=(sf.col("text").cast("int64"), "sum")).to_arrow()
    assert made.to_arrow().to_pylist() == [{"n": 1, "total": 1}, {"n": 3, "total": 3}]


def test_an_error_of_the_filter_below_names_the_filter():
    numbers = sf.from_arrow({"text": ["1", "x"]})
    with pytest.raises(sf.DecodeError, match="step 2 of 3: filter"):
        numbers.filter(sf.col("text").cast("int64") > 0).group_by("text").agg(n=sf.count()).to_arrow()
