"""The table of limits says what the code does."""

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[1] / "docs" / "limits.md"
ROWS = re.findall(r"^\| [^|]+ \| ([\d,]+) \| .* \| `([\w.]+)` \|$", TABLE.read_text(), re.MULTILINE)


def test_every_row_of_the_table_is_looked_at():
    assert len(ROWS) == TABLE.read_text().count("\n| ") - 1


@pytest.mark.parametrize(("number", "name"), ROWS)
def test_the_number_in_the_table_is_that_of_the_code(number, name):
    path = name.split(".")
    depth = next(place for place, word in enumerate(path) if not word.islower())
    found = reduce(getattr, path[depth:], import_module(".".join(["streamframe", *path[:depth]])))
    assert f"{found:,}" == number
