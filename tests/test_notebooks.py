"""The notebooks run from top to bottom, offline, and are kept without output."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
# A path that exists on one machine only.
MACHINE_PATH = re.compile(r"(?<![\w.])(/home/|/Users/|/root/|/tmp/|/work/|[A-Z]:\\)")


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


every_notebook = pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem if isinstance(path, Path) else None
)


def test_there_is_a_notebook_to_start_with() -> None:
    assert (NOTEBOOKS / "01_first_stream.ipynb").is_file()


@every_notebook
def test_a_notebook_is_kept_without_output_and_machine_paths(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert not [cell.id for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
    assert not [cell.id for cell in notebook.cells if MACHINE_PATH.search(cell.source)]


@pytest.mark.slow
@pytest.mark.timeout(180)
@every_notebook
def test_a_notebook_runs_from_top_to_bottom_without_a_warning(path: Path) -> None:
    from nbclient import NotebookClient

    notebook = read(path)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    # The kernel starts in notebooks/, from where a checkout that is not installed cannot be imported.
    client.execute(env={**os.environ, "PYTHONPATH": str(NOTEBOOKS.parent)})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    # Warnings of the kernel arrive here, where a reader of the notebook would see them too.
    assert not [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
