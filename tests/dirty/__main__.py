"""What each library makes of messy files: python -m tests.dirty [--out docs]

Rules: each reads in a process of its own, by the plainest call there is, and has a minute. What comes is held against
the rows that are right; where nobody can know them, against the error that has to come.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import math
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.dirty.situations import SITUATIONS, Row, Situation

_TIMEOUT_S = 60
_SHOWN = 110


def _streamframe(path: str, sep: str) -> list[Row]:
    import streamframe as sf

    options = {"sep": sep} if sep != "," else {}
    frame = sf.read_ndjson(path) if path.endswith(".ndjson") else sf.read_csv(path, **options)
    with warnings.catch_warnings(action="ignore"):
        # It tells of what it has done: names made unique, long numbers read as text.
        return frame.to_arrow().to_pylist()


def _pandas(path: str, sep: str) -> list[Row]:
    import glob

    import pandas as pd

    if path.endswith(".ndjson"):
        return pd.read_json(path, lines=True).to_dict("records")
    return pd.concat([pd.read_csv(one, sep=sep) for one in sorted(glob.glob(path))]).to_dict("records")


def _polars(path: str, sep: str) -> list[Row]:
    import polars as pl

    frame = pl.scan_ndjson(path) if path.endswith(".ndjson") else pl.scan_csv(path, separator=sep)
    return frame.collect().to_dicts()


def _duckdb(path: str, sep: str) -> list[Row]:
    import duckdb

    reader = "read_json" if path.endswith(".ndjson") else "read_csv"
    return duckdb.sql(f"from {reader}('{path}')").to_arrow_table().to_pylist()


READERS: dict[str, Callable[[str, str], list[Row]]] = {
    "streamframe": _streamframe, "pandas": _pandas, "polars": _polars, "duckdb": _duckdb,
}  # fmt: skip


def plain(value: Any) -> Any:
    """Return a value as Python has it: what is missing is None, and a whole float is a number like any other."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return value


def child(number: int, library: str, path: str) -> None:
    """Read, and print what came."""
    situation = SITUATIONS[number]
    try:
        rows = [{name: plain(value) for name, value in row.items()} for row in READERS[library](path, situation.sep)]
    except Exception as error:
        tell("error", f"{type(error).__name__}: {error}")
        return
    shown = ", ".join(str(row) for row in rows[-2:])
    tell("right" if situation.right(rows) else "wrong", f"{len(rows):,} rows, the last: {shown}")


def tell(kind: str, told: str) -> None:
    """Hand a verdict to the process that waits for it."""
    sys.stdout.write(json.dumps([kind, told]))


def verdict(number: int, library: str, path: Path) -> tuple[str, str]:
    """Return what a library makes of a situation, in a word and in more."""
    command = [sys.executable, "-m", "tests.dirty", "--child", str(number), library, str(path)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return "hangs", f"no answer in {_TIMEOUT_S} s"
    if run.returncode:
        return "crash", run.stderr.strip().splitlines()[-1] if run.stderr.strip() else f"exit code {run.returncode}"
    kind, told = json.loads(run.stdout.strip().splitlines()[-1])
    return kind, told


def cell(situation: Situation, kind: str, told: str, folder: Path) -> str:
    """Return a verdict as a person reads it."""
    text = " ".join(told.replace(f"{folder}/", "").split()).replace("|", "\\|").replace("`", "'")
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if kind == "right":
        return "right"
    if kind == "error":
        return f"error: {shown}"
    return f"**wrong, in silence**: {shown}" if kind == "wrong" else f"**{kind}**: {shown}"


def table(situations: tuple[Situation, ...] = SITUATIONS) -> list[str]:
    """Return the lines of the table."""
    lines = [f"| | {' | '.join(READERS)} |", "|---" * (1 + len(READERS)) + "|"]
    for number, situation in enumerate(situations):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = situation.write(folder)
            cells = [cell(situation, *verdict(number, library, path), folder) for library in READERS]
        lines.append(f"| {situation.title} | {' | '.join(cells)} |")
    return lines


def main(out: Path | None) -> None:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("pandas", "polars", "duckdb"))
    text = "\n".join(
        [
            "# Messy files, and what becomes of them",
            "",
            f"Made by `python -m tests.dirty --out docs`, with {versions}. Each library reads by its plainest",
            "call, without a word on types or encodings. Where nobody can know the rows, only an error is right. An",
            "error that names the place is mended in a minute; what is wrong in silence is found by somebody else.",
            "",
            *table(),
            "",
            'A column whose type changes later is text from its first row on with `on_widen="string"`, at the price of',
            'a second reading; records that cannot be read are counted and kept aside with `errors="quarantine"`,',
            "also those with bytes that mean nothing in the declared `encoding=`.",
            "",
        ]
    )
    if out is None:
        sys.stdout.write(text)
    else:
        (out / "messy-data.md").write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.child:
        child(int(given.child[0]), *given.child[1:])
    else:
        main(given.out)
