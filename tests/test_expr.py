"""Expressions: every operator and method against plain Python, row by row."""

from __future__ import annotations

import datetime as dt
import math
import operator
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamframe.errors import ColumnNotFoundError, DecodeError, PlanError, SchemaError
from streamframe.expr import (
    Expr,
    as_column,
    as_expr,
    bound,
    coalesce,
    col,
    evaluate,
    evaluate_all,
    evaluate_mask,
    function,
    lit,
    result_type,
    when,
)

NAN = float("nan")
A, B, X, Y, P, Q, S, T, D = (col(name) for name in ("a", "b", "x", "y", "p", "q", "s", "t", "d"))
WORDS = ["JFK", "  élan vital ", None, "", "x-y-x", "LaGuardia 12", "-42", "日本"]
TIMES = [
    dt.datetime(2013, 1, 1, 5, 17, 3, 250_000),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999_999),
    None,
    dt.datetime(2000, 2, 29),
    dt.datetime(2012, 12, 31, 12, 30),
    dt.datetime(2013, 7, 4, 16),
    dt.datetime(1999, 1, 3, 0, 0, 0, 1),
    dt.datetime(2024, 3, 31, 1, 59),
]
BATCH = pa.record_batch(
    {
        "a": pa.array([7, -7, None, 0, 2**53 + 1, 3, -1, 12], pa.int64()),
        "b": pa.array([2, 2, 5, -3, 1, None, -4, 5], pa.int64()),
        "x": pa.array([1.5, NAN, None, -0.0, 1e300, -2.5, 0.5, math.inf]),
        "y": pa.array([0.5, 2.0, 1.0, NAN, 3.0, None, -0.25, 2.0]),
        "p": pa.array([True, False, None, True, False, None, True, False]),
        "q": pa.array([True, True, True, None, None, None, False, False]),
        "s": pa.array(WORDS),
        "t": pa.array(TIMES, pa.timestamp("us")),
        "d": pa.array([each and each.date() for each in TIMES]),
    }
)


def null_in_null_out(compute: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: None if None in values else compute(*values)


def kleene_and(left: bool | None, right: bool | None) -> bool | None:
    return False if False in (left, right) else None if None in (left, right) else True


def kleene_or(left: bool | None, right: bool | None) -> bool | None:
    return True if True in (left, right) else None if None in (left, right) else False


def float_divide(left: float, right: float) -> float:
    return float(np.float64(left) / np.float64(right))


STRICT: list[tuple[Expr, Callable[..., Any], str]] = [
    # numbers
    (A + B, operator.add, "ab"),
    (A - 3, lambda a: a - 3, "a"),
    (3 - A, lambda a: 3 - a, "a"),
    (B * B, lambda b: b * b, "b"),
    (X + Y, operator.add, "xy"),
    (B * 0.5, lambda b: b * 0.5, "b"),
    (A / B, float_divide, "ab"),
    (B / 2, lambda b: b / 2, "b"),
    (1 / A, lambda a: float_divide(1, a), "a"),
    (X / Y, float_divide, "xy"),
    (A // B, operator.floordiv, "ab"),
    (A // 4, lambda a: a // 4, "a"),
    (100 // B, lambda b: 100 // b, "b"),
    (A % B, operator.mod, "ab"),
    (A % -4, lambda a: a % -4, "a"),
    (100 % B, lambda b: 100 % b, "b"),
    (Y // 0.5, lambda y: y // 0.5 if y == y else NAN, "y"),
    (Y % 0.75, lambda y: y % 0.75, "y"),
    (B**2, lambda b: b**2, "b"),
    (2.0**B, lambda b: 2.0**b, "b"),
    (-A, operator.neg, "a"),
    (A.abs(), abs, "a"),
    (X.abs(), abs, "x"),
    (Y.round(), lambda y: float(np.round(y)), "y"),
    (Y.round(1), lambda y: float(np.round(y, 1)), "y"),
    (A.round(-1), lambda a: int(round(a, -1)), "a"),
    (X.is_nan(), lambda x: x != x, "x"),
    # comparisons
    (A > B, operator.gt, "ab"),
    (A >= 7, lambda a: a >= 7, "a"),
    (A < B, operator.lt, "ab"),
    (A <= 0, lambda a: a <= 0, "a"),
    (A == 7, lambda a: a == 7, "a"),
    (A != B, operator.ne, "ab"),
    (B < 5, lambda b: b < 5, "b"),
    (X == Y, operator.eq, "xy"),
    (X != X, operator.ne, "xx"),
    (X > 0.1, lambda x: x > 0.1, "x"),
    (B.between(-3, 2), lambda b: -3 <= b <= 2, "b"),
    (B.between(-3, 2, closed="left"), lambda b: -3 <= b < 2, "b"),
    (B.between(-3, 2, closed="right"), lambda b: -3 < b <= 2, "b"),
    (B.between(-3, 2, closed="neither"), lambda b: -3 < b < 2, "b"),
    (P ^ Q, operator.xor, "pq"),
    (~P, operator.not_, "p"),
    # text
    (S == "JFK", lambda s: s == "JFK", "s"),
    (S > "L", lambda s: s > "L", "s"),
    (S + "!", lambda s: s + "!", "s"),
    ("<" + S, lambda s: "<" + s, "s"),
    (S.str.lower(), str.lower, "s"),
    (S.str.upper(), str.upper, "s"),
    (S.str.title(), str.title, "s"),
    (S.str.strip(), str.strip, "s"),
    (S.str.lstrip(), str.lstrip, "s"),
    (S.str.rstrip(), str.rstrip, "s"),
    (S.str.strip("x "), lambda s: s.strip("x "), "s"),
    (S.str.lstrip("x"), lambda s: s.lstrip("x"), "s"),
    (S.str.rstrip("x"), lambda s: s.rstrip("x"), "s"),
    (S.str.len(), len, "s"),
    (S.str.contains("[0-9]+$"), lambda s: s[-1:].isdigit(), "s"),
    (S.str.contains("-", regex=False), lambda s: "-" in s, "s"),
    (S.str.contains("ÉLAN", case=False), lambda s: "élan" in s, "s"),
    (S.str.contains("$", regex=False), lambda s: "$" in s, "s"),
    (S.str.startswith("La"), lambda s: s.startswith("La"), "s"),
    (S.str.endswith("x"), lambda s: s.endswith("x"), "s"),
    (S.str.replace("x", "zz"), lambda s: s.replace("x", "zz"), "s"),
    (S.str.replace("(.)-", r"\1+"), lambda s: s.replace("x-", "x+").replace("y-", "y+"), "s"),
    (S.str.replace(".", "", regex=False), lambda s: s.replace(".", ""), "s"),
    (S.str.slice(1), lambda s: s[1:], "s"),
    (S.str.slice(0, 3), lambda s: s[:3], "s"),
    (S.str.slice(-2), lambda s: s[-2:], "s"),
    (S.str.slice(1, -1), lambda s: s[1:-1], "s"),
    (S.str.pad(6), lambda s: s.rjust(6), "s"),
    (S.str.pad(6, side="right", fill="."), lambda s: s.ljust(6, "."), "s"),
    (S.str.zfill(5), lambda s: s.zfill(5), "s"),
    (S.str.split("-"), lambda s: s.split("-"), "s"),
    (S.str.concat("/", S), lambda s: f"{s}/{s}", "s"),
    (S.str.concat(S, separator=", "), lambda s: f"{s}, {s}", "s"),
    # dates and times
    (T.dt.year(), lambda t: t.year, "t"),
    (T.dt.quarter(), lambda t: (t.month + 2) // 3, "t"),
    (T.dt.month(), lambda t: t.month, "t"),
    (T.dt.week(), lambda t: t.isocalendar().week, "t"),
    (T.dt.day(), lambda t: t.day, "t"),
    (T.dt.day_of_year(), lambda t: t.timetuple().tm_yday, "t"),
    (T.dt.weekday(), lambda t: t.weekday(), "t"),
    (T.dt.hour(), lambda t: t.hour, "t"),
    (T.dt.minute(), lambda t: t.minute, "t"),
    (T.dt.second(), lambda t: t.second, "t"),
    (T.dt.date(), lambda t: t.date(), "t"),
    (D.dt.date(), lambda d: d, "d"),
    (D.dt.month(), lambda d: d.month, "d"),
    (T.dt.floor("15min"), lambda t: t.replace(minute=t.minute // 15 * 15, second=0, microsecond=0), "t"),
    (T.dt.floor("1d"), lambda t: dt.datetime(t.year, t.month, t.day), "t"),
    (T.dt.floor("w"), lambda t: dt.datetime(t.year, t.month, t.day) - dt.timedelta(days=t.weekday()), "t"),
    (T.dt.floor("1mo"), lambda t: dt.datetime(t.year, t.month, 1), "t"),
    (T.dt.floor("1y"), lambda t: dt.datetime(t.year, 1, 1), "t"),
    (T.dt.strftime("%d.%m.%Y %H"), lambda t: t.strftime("%d.%m.%Y %H"), "t"),
    (T.dt.epoch(), lambda t: math.floor(t.replace(tzinfo=dt.UTC).timestamp()), "t"),
    (T.dt.epoch("ns"), lambda t: pd.Timestamp(t).as_unit("ns").value, "t"),
    (T - TIMES[0], lambda t: t - TIMES[0], "t"),
    (T + dt.timedelta(days=1), lambda t: t + dt.timedelta(days=1), "t"),
    (dt.datetime(2012, 6, 1) < T, lambda t: t > dt.datetime(2012, 6, 1), "t"),
    (dt.date(2013, 1, 1) <= T, lambda t: t >= dt.datetime(2013, 1, 1), "t"),
    (pd.Timestamp("2013-01-01") > T, lambda t: t < dt.datetime(2013, 1, 1), "t"),
    (T > "2012-06-01", lambda t: t > dt.datetime(2012, 6, 1), "t"),
    (T >= "2013-01-01 05:17:03.25", lambda t: t >= TIMES[0], "t"),
    (T.between("2000-01-01", "2012-12-31 12:30"), lambda t: TIMES[3] <= t <= TIMES[4], "t"),
    (D == "2013-01-01", lambda d: d == dt.date(2013, 1, 1), "d"),
    (D < "2013-01-01 00:00:00", lambda d: d < dt.date(2013, 1, 1), "d"),
    (dt.date(2012, 12, 31) <= D, lambda d: d >= dt.date(2012, 12, 31), "d"),
    (T.cast("date32"), lambda t: t.date(), "t"),
    (A.cast("string"), str, "a"),
    (P.cast(int), int, "p"),
]
LENIENT: list[tuple[Expr, Callable[..., Any], str]] = [
    (P & Q, kleene_and, "pq"),
    (P | Q, kleene_or, "pq"),
    (True & P, lambda p: kleene_and(True, p), "p"),
    (False | P, lambda p: p, "p"),
    (A.is_null(), lambda a: a is None, "a"),
    (A.is_not_null(), lambda a: a is not None, "a"),
    (X.is_null(), lambda x: x is None, "x"),
    (A.fill_null(-9), lambda a: -9 if a is None else a, "a"),
    (A.fill_null(B), lambda a, b: b if a is None else a, "ab"),
    (S.fill_null("?"), lambda s: "?" if s is None else s, "s"),
    (T.fill_null("2020-01-01"), lambda t: dt.datetime(2020, 1, 1) if t is None else t, "t"),
    (coalesce(A, B, 0), lambda a, b: a if a is not None else b if b is not None else 0, "ab"),
    (A.is_in([7, 3]), lambda a: a in (7, 3), "a"),
    (A.is_in([7, None]), lambda a: a in (7, None), "a"),
    (A.is_in([]), lambda a: False, "a"),
    (B.is_in([2.5, 5.0]), lambda b: b == 5, "b"),
    (S.is_in([]), lambda s: False, "s"),
    (S.is_in({"JFK"}), lambda s: s == "JFK", "s"),
    (A.is_in(np.array([7, -7])), lambda a: a in (7, -7), "a"),
    (A.is_in(pd.Series([7, -7])), lambda a: a in (7, -7), "a"),
    (T.is_in([TIMES[0]]), lambda t: t == TIMES[0], "t"),
    (S.is_in([None]), lambda s: s is None, "s"),
    (P.is_in([0]), lambda p: p is False, "p"),
    (when(P).then(A), lambda p, a: a if p else None, "pa"),
    (when(P).then(A).otherwise(B), lambda p, a, b: a if p else b, "pab"),
    (when(P).then("yes").otherwise("no"), lambda p: "yes" if p else "no", "p"),
    (when(P).then(1).when(Q).then(2).otherwise(3), lambda p, q: 1 if p else 2 if q else 3, "pq"),
    (when(P).then(1).when(Q).then(2), lambda p, q: 1 if p else 2 if q else None, "pq"),
    (when(T > "2012-06-01").then(1).otherwise(0), lambda t: 1 if t and t > dt.datetime(2012, 6, 1) else 0, "t"),
    (lit(3), lambda: 3, ""),
    (lit(None), lambda: None, ""),
    (lit(1) + 1, lambda: 2, ""),
]
CASES = [(expr, null_in_null_out(compute), names) for expr, compute, names in STRICT] + LENIENT


@pytest.mark.parametrize(("expr", "compute", "names"), CASES, ids=[case[0].text for case in CASES])
@pytest.mark.parametrize(("start", "length"), [(0, 8), (2, 5), (3, 0)], ids=["whole", "slice", "empty"])
def test_an_expression_equals_plain_python_row_by_row(
    expr: Expr, compute: Callable[..., Any], names: str, start: int, length: int
) -> None:
    batch = BATCH.slice(start, length)
    got = evaluate(expr, batch)
    rows = zip(*(batch.column(name).to_pylist() for name in names), strict=True) if names else [()] * length
    expected = [_computed(compute, row) for row in rows]
    assert isinstance(got, pa.Array)
    assert got.type == result_type(expr, BATCH.schema)
    assert [_comparable(value) for value in got.to_pylist()] == [_comparable(value) for value in expected]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ([math.nan], [0]),
        ([1, math.nan], [0, 4]),
        (np.array([math.nan, 1.0]), [0, 4]),
        (pd.Series([math.nan, 1.0]), [1, 4]),
        ([None, 1.0], [1, 4]),
        ([0], [2, 3]),
        ([-0.0, None], [1, 2, 3]),
        (pa.array([0.0, 1.0]), [2, 3, 4]),
    ],
)
def test_is_in_finds_nan_by_nan_and_either_zero_by_the_other(kind, values, rows):
    """NaN in a list found nulls instead, and `is_in([0])` did not find a -0.0, as which -0.3 is rounded."""
    batch = pa.record_batch({"x": pa.array([math.nan, None, 0.0, -0.0, 1.0], kind)})
    found = evaluate(col("x").is_in(values), batch).to_pylist()
    assert [row for row, is_found in enumerate(found) if is_found] == rows
    assert None not in found


@pytest.mark.parametrize("compute", [lambda x: x * 2, lambda x: 10 - x, lambda x: x + 1, lambda x: (x + 1) * 3 - 4])
def test_a_decimal_goes_with_whole_numbers(compute):
    """Arrow said that its precision is not great enough."""
    prices = [Decimal("1.10"), None, Decimal("-9.99")]
    batch = pa.record_batch(
        {"x": pa.array(prices, pa.decimal128(9, 2)), "n": [1, 2, 3], "small": pa.array([1] * 3, pa.int8())}
    )
    expected = [None if price is None else compute(price) for price in prices]
    assert evaluate(compute(col("x")), batch).to_pylist() == expected
    assert evaluate(pickle.loads(pickle.dumps(compute(col("x")))), batch).to_pylist() == expected
    assert evaluate(compute(col("small")), batch).type == pa.int8()
    assert evaluate(compute(col("n")), batch).to_pylist() == [compute(n) for n in (1, 2, 3)]


def test_is_in_takes_numbers_without_sign_that_need_all_their_bits():
    numbers = pa.array([0, 5, 2**64 - 1], pa.uint64())
    assert evaluate(col("n").is_in(numbers), pa.record_batch({"n": numbers})).to_pylist() == [True, True, True]


def _computed(compute: Callable[..., Any], row: tuple[Any, ...]) -> Any:
    with np.errstate(all="ignore"):
        return compute(*row)


def _comparable(value: Any) -> Any:
    """NaN equals NaN, -0.0 is not 0.0, and True is not 1."""
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    return repr(value)


@pytest.mark.parametrize("other", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
@pytest.mark.parametrize(
    "expr",
    [
        S == "JFK",
        S > "L",
        S.cast("string") + "!",
        S.is_in(["JFK", "x"]),
        S.fill_null("?"),
        when(S == "JFK").then(S).otherwise("no"),
    ],
    ids=repr,
)
def test_every_kind_of_text_column_gives_the_same_values(expr: Expr, other: pa.DataType) -> None:
    """pandas 3 hands over large_string, and categories are dictionaries."""
    texts = (
        pa.array(WORDS, pa.large_string()) if pa.types.is_large_string(other) else pa.array(WORDS).dictionary_encode()
    )
    got = evaluate(expr, pa.record_batch({"s": texts}))
    assert got.to_pylist() == evaluate(expr, BATCH).to_pylist()


def test_a_literal_joins_a_large_text() -> None:
    batch = pa.record_batch({"s": pa.array(WORDS, pa.large_string())})
    assert evaluate("<" + S + ">", batch).to_pylist() == [word if word is None else f"<{word}>" for word in WORDS]
    assert evaluate(S.str.zfill(5), batch).to_pylist() == [
        word and word.zfill(5) if word != "" else "00000" for word in WORDS
    ]


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint8(), pa.int32(), pa.uint64(), pa.float32(), pa.decimal128(10, 2)], ids=str
)
@pytest.mark.parametrize("value", [2, 300, -1, 2.5, Decimal("2.5")])
def test_a_column_of_any_number_type_compares_with_any_literal_number(kind: pa.DataType, value: Any) -> None:
    numbers = [1, 2, None, 100]
    column = (
        pa.array([n and Decimal(n) for n in numbers], kind) if kind == pa.decimal128(10, 2) else pa.array(numbers, kind)
    )
    got = evaluate(col("n") > value, pa.record_batch({"n": column}))
    assert got.to_pylist() == [value < n if n else None for n in numbers]


def test_a_literal_float_does_not_turn_integers_into_narrow_floats() -> None:
    """Arrow shrinks the literal 0.5 to float32, and with it every int64 it meets."""
    batch = pa.record_batch({"n": [2**24 + 1]})
    for expr in (
        col("n") * 0.5,
        col("n") + 1.0,
        col("n").fill_null(0.5),
        when(col("n") > 0).then(col("n")).otherwise(0.5),
    ):
        assert result_type(expr, batch.schema) == pa.float64()
    assert evaluate(col("n") * 0.5, batch).to_pylist() == [(2**24 + 1) / 2]
    assert evaluate(col("n") == 16777216.0, batch).to_pylist() == [False]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=5),
    st.sampled_from([operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod]),
)
@example([(1, 2**63 - 1), (-1, 2**63 - 1)], operator.mod)
@example([(-(2**63), 1), (-(2**63), 2**63 - 1)], operator.floordiv)
@example([(-(2**63), -1)], operator.floordiv)
def test_integers_are_exact_or_an_error_but_never_wrapped(pairs: list[tuple[int, int]], compute: Any) -> None:
    lefts, rights = (pa.array(side, pa.int64()) for side in zip(*pairs, strict=True))
    batch = pa.record_batch([lefts, rights], names=["a", "b"])
    try:
        got = evaluate(compute(A, B), batch).to_pylist()
    except DecodeError:
        # An error is right for a result that needs more than 64 bits, or a zero divisor.
        hard = compute in (operator.floordiv, operator.mod) and (0 in rights.to_pylist() or (-(2**63), -1) in pairs)
        assert hard or any(not -(2**63) <= compute(a, b) < 2**63 for a, b in pairs)
    else:
        assert got == [compute(a, b) for a, b in pairs]


@pytest.mark.parametrize(
    ("expr", "reason"),
    [
        (A * 2**62, "overflow"),
        (A // (B - 2), "divide by zero"),
        (A % 0, "divide by zero"),
        (S.cast("int64"), "Failed to parse"),
        (X.cast("int64"), "truncated"),
        (A.cast("int8"), "not in range"),
        (A.cast("float64"), "not in range"),
    ],
    ids=repr,
)
def test_a_value_that_cannot_be_computed_is_a_decode_error_with_its_expression(expr: Expr, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        evaluate_all([B + 1, expr], BATCH)
    assert caught.value.message.startswith(f"cannot compute {expr.text}: ")
    assert reason in caught.value.message
    assert caught.value.hint
    result_type(expr, BATCH.schema)


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (A > "late", "cannot compare int64 with string in col('a') > 'late'; column 'a' is int64"),
        (S + A, "cannot add string and int64 in col('s') + col('a'); column 'a' is int64; 's' is string"),
        (S / 2, "cannot subtract int64 from string in col('s') / 2"),
        (A.str.lower(), "utf8_lower does not take int64"),
        (P + 1, "cannot add bool and"),
        (T > "yesterday", "cannot read 'yesterday' as timestamp[us] in col('t') > 'yesterday'"),
        (T > dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "which has a zone, with timestamp[us], which has none"),
        (when(P).then(A).otherwise("x"), "if_else does not take bool, int64, string"),
        (S.dt.date(), "floor_temporal does not take string"),
        (as_expr(pc.field("a") == "x"), "cannot compare int64 with string"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_types_that_do_not_fit_are_a_schema_error_before_any_row(expr: Expr, message: str) -> None:
    for act in (lambda: result_type(expr, BATCH.schema), lambda: evaluate(expr, BATCH)):
        with pytest.raises(SchemaError) as caught:
            act()
        assert message in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(
    "expr", [col("fair") * 2, col("fair"), as_expr(pc.field("fair") + 1), as_expr(pc.field("fair"))]
)
def test_a_missing_column_is_named_with_the_nearest_one(expr: Expr) -> None:
    batch = pa.record_batch({"fare": [1.0]})
    for act in (lambda: result_type(expr, batch.schema), lambda: evaluate(expr, batch)):
        with pytest.raises(ColumnNotFoundError, match="did you mean 'fare'"):
            act()


def test_times_with_a_zone_compare_with_texts_in_that_zone() -> None:
    zone = pa.timestamp("ns", "Europe/Paris")
    times = pa.array([dt.datetime(2024, 7, 1, 9, 59), dt.datetime(2024, 7, 1, 10, 0)], pa.timestamp("ns", "UTC"))
    batch = pa.record_batch({"t": times.cast(zone)})
    assert evaluate(T >= "2024-07-01 12:00", batch).to_pylist() == [False, True]
    assert evaluate(T >= "2024-07-01T10:00:00Z", batch).to_pylist() == [False, True]
    assert evaluate(T >= dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC), batch).to_pylist() == [False, True]
    assert evaluate(T.is_in([dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC)]), batch).to_pylist() == [False, True]
    assert evaluate(T.dt.hour(), batch).to_pylist() == [11, 12]
    with pytest.raises(SchemaError, match="zone"):
        evaluate(T > dt.datetime(2024, 7, 1), batch)
    assert evaluate(T.dt.tz_remove().dt.tz_localize("Europe/Paris") == T, batch).to_pylist() == [True, True]


def test_a_text_finer_than_the_column_is_not_cut() -> None:
    batch = pa.record_batch({"t": pa.array([0, 1], pa.timestamp("s"))})
    assert evaluate(T > "1970-01-01 00:00:00.5", batch).to_pylist() == [False, True]
    assert evaluate(T == "1970-01-01 00:00:00.5", batch).to_pylist() == [False, False]


def test_a_time_of_day_compares_with_a_text() -> None:
    batch = pa.record_batch({"t": pa.array([0, 3600], pa.time32("s"))})
    assert evaluate(T >= "01:00:00", batch).to_pylist() == [False, True]
    assert evaluate(T > "00:00:00.5", batch).to_pylist() == [False, True]
    with pytest.raises(SchemaError, match="cannot read 'noon'"):
        result_type(T > "noon", batch.schema)


def test_a_pandas_time_keeps_its_nanoseconds() -> None:
    moment = pd.Timestamp("2020-01-01 00:00:00.000000001")
    batch = pa.record_batch({"t": pa.array([moment.value - 1, moment.value], pa.timestamp("ns"))})
    assert evaluate(T >= moment, batch).to_pylist() == [False, True]
    assert evaluate(T + pd.Timedelta(1, "ns") == moment, batch).to_pylist() == [True, False]
    assert evaluate(coalesce(pd.NaT, pd.NA, 1), batch).to_pylist() == [1, 1]


def test_a_group_of_a_pattern_is_taken_by_number_or_by_name() -> None:
    def found(expr: Expr) -> list[Any]:
        return evaluate(expr, BATCH).to_pylist()

    assert found(S.str.extract(r"(\w)-(\w)")) == [None, None, None, None, "x", None, None, None]
    assert found(S.str.extract(r"([(\w])\-(?:\w)-(?P<last>\w)", "last")) == [None] * 4 + ["x"] + [None] * 3
    assert found(S.str.extract(r"(\w+) (\d+)", 2))[5] == "12"
    for pattern, group in (("abc", 1), ("(a)", 2), ("(a)", 0), ("(a)", "b"), ("(", 1)):
        with pytest.raises(PlanError):
            S.str.extract(pattern, group)


# ---------------------------------------------------------------------- reading, names, columns


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (col("fare") * 2 > 10, "col('fare') * 2 > 10"),
        ((A > 1) & (B < 2) | ~P, "(col('a') > 1) & (col('b') < 2) | ~col('p')"),
        (A - (B - 1), "col('a') - (col('b') - 1)"),
        ((A + B) * 2, "(col('a') + col('b')) * 2"),
        ((-A) ** 2, "(-col('a')) ** 2"),
        ((A**B) ** 2, "(col('a') ** col('b')) ** 2"),
        ((A > B) == P, "(col('a') > col('b')) == col('p')"),
        (2**A**2, "2 ** col('a') ** 2"),
        ((-1) ** A, "(-1) ** col('a')"),
        ((A + 1).is_null(), "(col('a') + 1).is_null()"),
        (lit(1) + lit("x").str.len(), "lit(1) + lit('x').str.len()"),
        (A.cast("float").alias("f"), "col('a').cast('float64').alias('f')"),
        (A.is_in(range(1000)), "col('a').is_in([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, … 987 more])"),
        (S == "x" * 100, f"col('s') == '{'x' * 57}…'"),
        (when(A > 1).then("x").otherwise(None), "when(col('a') > 1).then('x').otherwise(None)"),
        (coalesce(A, 0), "coalesce(col('a'), 0)"),
        (S.str.contains("a", case=False), "col('s').str.contains('a', case=False)"),
        (T.dt.floor("1h"), "col('t').dt.floor('1h')"),
        (A.between(1, 2, closed="left"), "col('a').between(1, 2, closed='left')"),
        (function("bit_wise_and", A, 4), "function('bit_wise_and', col('a'), 4)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_expression_reads_as_it_is_typed(expr: Expr, text: str) -> None:
    assert repr(expr) == expr.text == text


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_text_of_an_expression_is_python_that_builds_it_again(data: st.DataObject) -> None:
    leaf = st.sampled_from([A, B, lit(3), lit(-2)])
    signs = [
        operator.add,
        operator.sub,
        operator.mul,
        operator.pow,
        operator.gt,
        operator.and_,
        operator.xor,
        operator.or_,
    ]
    tree = st.recursive(
        leaf,
        lambda inner: (
            st.builds(lambda sign, x, y: sign(x, y), st.sampled_from(signs), inner, inner)
            | st.builds(operator.neg, inner)
            | st.builds(Expr.is_null, inner)
        ),
        max_leaves=8,
    )
    expr = data.draw(tree)
    again = eval(expr.text, {"col": col, "lit": lit})
    assert str(again.arrow) == str(expr.arrow)


def test_a_result_is_named_by_its_alias_or_its_leftmost_column() -> None:
    assert [each.name for each in (A, 2 * A + B, A.alias("z"), A.str.lower(), lit(1), as_expr(pc.field("a") + 1))] == [
        "a", "a", "z", "a", None, None,
    ]  # fmt: skip
    assert when(P).then(A).otherwise(B).name == "a"
    assert (A.alias("z").column, A.column, (A + 1).column) == ("a", "a", None)


def test_an_expression_knows_its_columns() -> None:
    expr = when(P & (A > 1)).then(S.str.len()).otherwise(coalesce(B, 0))
    assert expr.columns == expr.columns_in(()) == {"p", "a", "s", "b"}


@pytest.mark.parametrize("name", ["a", "a b", "é", 'q"u\\o\nte', "x.y", "[0]", ""])
def test_a_bare_expression_reads_at_most_the_columns_it_could_mean(name: str) -> None:
    names = [name, "never", "seen"]
    assert as_expr(pc.field(name)).columns == {name}
    for expression in (pc.field(name) > 1, pc.field(name).isin(list(range(10_000))), pc.field(name) == "y" * 10_000):
        expr = as_expr(expression)
        assert expr.columns is None
        assert name in expr.columns_in(names)
        assert "never" not in expr.columns_in(names)
        assert len(expr.text) <= 200
        mixed = expr & P
        assert mixed.columns is None
        assert {name, "p"} <= mixed.columns_in([*names, "p"])


def test_a_bare_expression_works_like_ours() -> None:
    got = evaluate_all([as_column("a"), as_expr(pc.field("a") + pc.field("b")), A + (pc.field("b") * 2)], BATCH)
    assert got[1].equals(evaluate(A + B, BATCH))
    assert got[2].equals(evaluate(A + B * 2, BATCH))


def test_a_position_instead_of_a_name_is_refused() -> None:
    for expression in (pc.field(0), pc.field(0) + 1, pc.field(0, "a") == 2):
        with pytest.raises(PlanError, match="position"):
            as_expr(expression)


def test_and_or_not_are_refused_with_the_way_out() -> None:
    for act in (lambda: A > 1 and B, lambda: A > 1 or B, lambda: not A, lambda: 1 < A < 3, lambda: A in [B]):
        with pytest.raises(PlanError, match="use & "):
            act()
    assert {A: 1}[A] == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda: col(1),
        lambda: lit(object()),
        lambda: lit(2**70),
        lambda: lit(pd.Series([1])),
        lambda: A.is_in("JFK"),
        lambda: A.is_in(3),
        lambda: A.is_in([1, "x"]),
        lambda: A.round(1.5),
        lambda: A.between(1, 2, closed="no"),
        lambda: S.str.contains("("),
        lambda: S.str.pad(3, side="top"),
        lambda: T.dt.floor("1 fortnight"),
        lambda: T.dt.epoch("h"),
        lambda: T.dt.tz_localize("Mars/Base"),
        lambda: function("utf8_lowr", S),
        lambda: function("sum", A),
        lambda: function("cumulative_sum", A),
        lambda: function("random"),
        lambda: coalesce(),
        lambda: A.alias(3),
    ],
)
def test_a_wrong_argument_is_refused_at_the_call(act: Callable[[], Any]) -> None:
    with pytest.raises(PlanError):
        act()


# ---------------------------------------------------------------------- evaluating


def test_a_plain_column_is_handed_through_without_a_copy() -> None:
    column = BATCH.column("a")
    assert evaluate(A.alias("z"), BATCH).buffers()[1].address == column.buffers()[1].address


def test_rows_are_kept_when_a_batch_is_longer_than_what_arrow_takes_at_once() -> None:
    batch = pa.record_batch({"n": list(range(100_000)), "m": [None, 1] * 50_000})
    for part in (batch, batch.slice(33_000, 50_001)):
        doubled, known = evaluate_all([col("n") * 2, col("m").is_null()], part)
        assert doubled.to_pylist() == [2 * n for n in part.column("n").to_pylist()]
        assert known.to_pylist() == [m is None for m in part.column("m").to_pylist()]
        assert evaluate_mask(col("n") > 50_000, part).true_count == sum(
            n > 50_000 for n in part.column("n").to_pylist()
        )


@pytest.mark.parametrize("expr", [lit(3), lit(1) + 2, as_expr(pc.scalar(3)), coalesce(None, 3)], ids=repr)
@pytest.mark.parametrize("rows", [0, 4])
def test_a_batch_without_columns_keeps_its_rows(expr: Expr, rows: int) -> None:
    batch = BATCH.slice(0, rows).select([])
    assert evaluate(expr, batch).to_pylist() == [3] * rows
    assert result_type(expr, batch.schema) == pa.int64()


def test_a_mask_is_true_false_or_null() -> None:
    assert evaluate_mask(A > 0, BATCH).to_pylist()[:3] == [True, False, None]
    assert evaluate_mask(lit(None), BATCH).type == pa.bool_()
    with pytest.raises(SchemaError, match="true or false"):
        evaluate_mask(A, BATCH)


def test_two_columns_of_one_name_are_an_error_and_not_a_guess() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    for expr in (col("n"), col("n") + 1):
        with pytest.raises(SchemaError, match="more than one column"):
            evaluate(expr, batch)


def test_many_threads_evaluate_at_once() -> None:
    batches = [
        pa.record_batch({"n": list(range(k, k + 40_000)), "t": pa.array(range(40_000), pa.timestamp("s"))})
        for k in range(16)
    ]
    expr = (col("n") * 3 % 7 == 0) & (T > "1970-01-01 01:00")
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: evaluate_mask(expr, batch), batches))
    assert all(mask.equals(evaluate_mask(expr, batch)) for mask, batch in zip(together, batches, strict=True))


def test_an_expression_survives_pickling() -> None:
    for expr in (A * 2 > 1, S.str.contains("x"), (T > "2012-06-01").cast("int8"), when(P).then(A), A.is_in([1, 2])):
        again = pickle.loads(pickle.dumps(expr))
        assert (again.text, again.columns, again.name) == (expr.text, expr.columns, expr.name)
        assert evaluate(again, BATCH).equals(evaluate(expr, BATCH))


def test_bound_gives_arrow_what_the_statistics_of_a_file_can_be_compared_with() -> None:
    expr = (T > "2012-06-01") & (A > 1)
    filtered = pa.table(BATCH).filter(bound(expr, BATCH.schema))
    assert filtered.num_rows == evaluate_mask(expr, BATCH).true_count == 4
