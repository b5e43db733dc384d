"""What `repr(frame)` and `frame.explain()` say, without reading anything."""

from __future__ import annotations

import dataclasses
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamframe.display.steps import lay_out
from streamframe.display.text import LAZY_NOTE, explain_text, plan_text
from streamframe.expr import col
from streamframe.plan.node import Node, Scan
from streamframe.transforms.concat import Concat
from streamframe.transforms.filter import Filter
from streamframe.transforms.map_batches import MapBatches
from streamframe.transforms.select import Drop, Select
from streamframe.transforms.slice import Slice
from tests.display.untouchable import Untouchable, scan


def select(plan: Node, *names: str) -> Select:
    return Select(plan, tuple(col(name) for name in names))


def test_a_source_alone_is_one_line_and_says_that_nothing_was_read() -> None:
    assert plan_text(scan()) == "\n".join(
        ["StreamFrame: read_csv('flights.csv')", "columns (3): carrier, dep_delay, distance", LAZY_NOTE]
    )


def test_steps_are_numbered_in_reading_order() -> None:
    plan = select(Filter(scan(), col("dep_delay") > 60), "carrier")
    first, *steps, columns, last = plan_text(plan).splitlines()
    assert first == "StreamFrame: 3 steps"
    assert [step[:5] for step in steps] == ["  1. ", "  2. ", "  3. "]
    assert [step[5:].partition("(")[0] for step in steps] == ["read_csv", "filter", "select"]
    assert columns == "columns (1): carrier"
    assert last == LAZY_NOTE


def test_columns_that_only_a_run_can_tell_are_not_named() -> None:
    assert "columns" not in plan_text(scan(schema=None))
    assert "columns" not in plan_text(Drop(scan(schema=None), ("a",)))
    assert "columns" not in plan_text(MapBatches(scan(), lambda batch: batch, None, False))


def test_columns_that_an_earlier_look_has_shown_are_named() -> None:
    assert "columns (1): seen" in plan_text(scan(schema=None), pa.schema([("seen", pa.int8())]))


def test_a_wide_table_names_its_first_columns_only() -> None:
    wide = pa.schema([(f"c{number}", pa.int8()) for number in range(1000)])
    assert "columns (1,000): c0, c1," in plan_text(scan(schema=wide))
    assert "c19, … (980 more)" in plan_text(scan(schema=wide))


def test_the_inputs_of_a_concat_are_branches() -> None:
    late = Drop(scan("read_csv('b.csv')"), ("distance",))
    early = Drop(scan("read_csv('a.csv')"), ("distance",))
    assert plan_text(Slice(Concat((early, late)), 0, 5)).splitlines()[1:7] == [
        "  ┌ 1. read_csv('a.csv')",
        "  │ 2. drop('distance')",
        "  ├ 3. read_csv('b.csv')",
        "  │ 4. drop('distance')",
        "  └ 5. concat(2 frames)",
        "    6. limit(5)",
    ]


def test_a_plan_made_in_a_long_loop_shows_its_two_ends() -> None:
    plan: Node = scan()
    for number in range(5000):
        plan = Slice(plan, 0, number)
    lines = plan_text(plan).splitlines()
    assert len(lines) < 40
    assert "1. read_csv('flights.csv')" in lines[1]
    assert "  … (4,977 steps more)" in lines
    assert "5001. limit(4999)" in lines[-3]


def test_a_frame_concatenated_with_itself_sixty_times_is_shown_at_once() -> None:
    plan: Node = scan()
    for _ in range(60):
        plan = Concat((plan, plan))
    assert plan_text(plan).startswith(f"StreamFrame: {2**61 - 1:,} steps\n")


def test_a_plan_that_cannot_work_still_has_a_repr() -> None:
    text = plan_text(select(scan(), "no_such_column"))
    assert "no_such_column" in text
    assert "columns (" not in text


@pytest.mark.parametrize("nasty", ["a\nfake line", "\x1b[2Jwiped", "\u202egnp.exe", "\r over"])
def test_names_from_a_file_cannot_drive_the_terminal(nasty: str) -> None:
    text = plan_text(Slice(scan(f"read_csv({nasty})", pa.schema([(nasty, pa.int8())])), 0, 1))
    assert len(text.splitlines()) == 5
    assert all(char.isprintable() for line in text.split("\n") for char in line)


def test_a_step_of_a_hundred_thousand_characters_is_cut() -> None:
    first = plan_text(scan("read_csv(" + "x" * 100_000)).splitlines()[0]
    assert len(first) < 200
    assert first.endswith("x…")


def plans(source: Untouchable) -> st.SearchStrategy[Node]:
    return st.recursive(
        st.builds(Scan, st.just(source)),
        lambda inner: st.one_of(
            st.builds(lambda plan, rows: Slice(plan, 0, rows), inner, st.integers(0, 99)),
            st.builds(lambda frames: Concat(tuple(frames)), st.lists(inner, min_size=1, max_size=3)),
        ),
        max_leaves=12,
    )


@given(plan=plans(Untouchable("read", None)), limit=st.integers(2, 12))
def test_a_cut_plan_shows_the_same_lines_as_the_whole_one(plan: Node, limit: int) -> None:
    whole, cut = lay_out(plan, 1000), lay_out(plan, limit)
    assert [step.number for step in whole.head] == list(range(1, whole.total + 1))
    assert cut.total == whole.total
    assert cut.head == whole.head[: len(cut.head)]
    assert cut.tail == whole.head[whole.total - len(cut.tail) :]


def noted(text: str) -> dict[str, str]:
    """Return what `explain` notes beside each verb of the plan as run."""
    notes: dict[str, Any] = {}
    for line in text.partition("as run\n")[2].splitlines():
        step, found, note = line.partition("  [")
        if found:
            notes[step.split(". ", 1)[1].partition("(")[0]] = note.removesuffix("]")
    return notes


def test_explain_says_what_was_moved_into_the_scan() -> None:
    before = select(scan(), "carrier")
    after = before.with_inputs(dataclasses.replace(before.inputs[0], columns=("carrier",), limit=10))
    text = explain_text(before, after)
    assert text.startswith("as written\n  1. read_csv")
    assert noted(text)["read_csv"] == "scan: columns=1: carrier; stops after 10 rows"


def test_explain_does_not_claim_columns_that_nobody_knows_yet() -> None:
    plan = scan(schema=None)
    assert "left out once they are known" in noted(explain_text(plan, plan))["read_csv"]
    assert noted(explain_text(scan(), scan()))["read_csv"] == "scan: all columns, all rows"


def test_explain_says_which_steps_run_on_your_thread() -> None:
    below = Filter(scan(), col("dep_delay") > 60)
    plan = Drop(MapBatches(below, lambda batch: batch, None, False), ("distance",))
    notes = noted(explain_text(plan, plan))
    assert notes["filter"] == "decode pool"
    assert notes["map_batches"] == "your thread"
    # It could run in the pool, but what it works on comes from your thread.
    assert notes["drop"] == "your thread"
