"""The line below a notebook's cell: there without being asked for, and one, however often it changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

# The clock is set forward by a step, so that nobody waits for a run that takes long enough.
SETUP = """
import time
import streamframe as sf

clock, passed = time.monotonic, [0]
time.monotonic = lambda: clock() + passed[0]

def later(batch):
    passed[0] += 1
    return batch

frame = sf.from_arrow({"a": range(10)}).rebatch(rows=1).map_batches(later)
"""


def outputs_of(folder: Path, *cells: str) -> list[list[Any]]:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    return [cell.outputs for cell in notebook.cells]


def test_a_notebook_shows_one_line_that_changes_in_place(tmp_path: Path) -> None:
    _, watched, off = outputs_of(
        tmp_path,
        SETUP,
        "report = frame.to_csv('out.csv')",
        "with sf.options(progress='off'):\n    report = frame.to_csv('out.csv')",
    )
    (line,) = watched
    assert line.output_type == "display_data"
    text = line.data["text/plain"]
    assert text.startswith("to_csv('out.csv')")
    assert "10 rows" in text
    assert "peak" in text
    assert off == []
