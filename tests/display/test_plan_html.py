"""What a notebook cell shows: escaped, without scripts, legible in light and dark."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from streamframe.display.html import plan_html, stats_html
from streamframe.plan.node import Node
from streamframe.plan.report import Stats
from streamframe.transforms.concat import Concat
from streamframe.transforms.slice import Slice
from tests.display.untouchable import scan

NASTY = """<script>alert(1)</script>'"&<img src=x onerror=alert(1)>"""


class Page(HTMLParser):
    """Elements and text of a piece of HTML; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}


def test_steps_are_an_ordered_list_in_reading_order() -> None:
    page = Page(plan_html(Slice(scan(), 0, 5)))
    assert page.texts["code"] == ["read_csv('flights.csv')", "limit(5)"]
    assert {"ol", "li", "details", "summary", "table"} <= page.tags()


def test_names_with_markup_are_text() -> None:
    page = Page(plan_html(scan(f"read_csv({NASTY})", pa.schema([(NASTY, pa.int8())]))))
    assert not page.tags() & {"script", "img"}
    assert f"read_csv({NASTY})" in "".join(page.texts["code"])
    assert NASTY in "".join(page.texts["th"])


def test_nothing_is_loaded_and_nothing_runs() -> None:
    html = plan_html(Concat((scan(), scan())))
    attributes = {name for _, attrs in Page(html).elements for name in attrs}
    assert attributes <= {"class", "style", "role", "aria-label", "aria-hidden", "scope", "open"}
    assert "url(" not in html
    assert "@import" not in html


def test_lines_of_the_tree_are_hidden_from_screen_readers() -> None:
    elements = Page(plan_html(Concat((scan(), scan())))).elements
    trees = [attrs for _, attrs in elements if attrs.get("class") == "sf-tree"]
    assert len(trees) == 3
    assert all(attrs["aria-hidden"] == "true" for attrs in trees)


def test_a_wide_table_is_folded_and_cut() -> None:
    wide = pa.schema([(f"c{number}", pa.int8()) for number in range(50_000)])
    html = plan_html(scan(schema=wide))
    assert ("details", {}) in Page(html).elements
    assert "50,000 columns" in html
    assert "(49,800 more)" in html
    assert len(html) < 50_000


def test_a_narrow_table_is_open() -> None:
    page = Page(plan_html(scan()))
    assert ("details", {"open": None}) in page.elements
    assert "double" in page.texts["span"]


def test_unknown_columns_are_left_out() -> None:
    assert "details" not in Page(plan_html(scan(schema=None))).tags()


def test_a_plan_made_in_a_long_loop_stays_small() -> None:
    plan: Node = scan()
    for number in range(5000):
        plan = Slice(plan, 0, number)
    html = plan_html(plan)
    assert "(4,961 steps more)" in html
    assert len(html) < 20_000


def test_stats_are_a_table_of_facts() -> None:
    stats = Stats(1_234_567, 12, 12_300_000, 29_000_000, 12_000_000, 61_000_000, 64_000_000, 0, "source", 1.4, 0.085)
    page = Page(stats_html(stats))
    facts = dict(zip(page.texts["th"], page.texts["td"], strict=True))
    assert facts["rows"] == "1,234,567 in 12 batches"
    assert facts["read"] == "12.3 MB of 29 MB"
    assert facts["waiting on"] == "source"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["text", "quiet"])
def test_colours_of_our_own_have_enough_contrast(name: str, scheme: str) -> None:
    """WCAG 2 asks for 4.5 : 1 between text and background."""
    light, dark = plan_html(scan()).split("@media (prefers-color-scheme:dark)")
    style = light if scheme == "light" else dark
    colours = dict(re.findall(r"--sf-(\w+):var\([\w-]+,#(\w+)\)", style))
    lighter, darker = sorted((luminance(colours[name]), luminance(colours["back"])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def luminance(colour: str) -> float:
    if len(colour) == 3:
        colour = "".join(digit * 2 for digit in colour)
    parts = [int(colour[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
