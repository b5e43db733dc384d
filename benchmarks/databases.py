"""Five million rows out of PostgreSQL and SQLite: rows a second, and the peak over the imports.

Usage: python benchmarks/databases.py [--rows 5000000] [--memory 64MB]; PostgreSQL is started for it, in a folder of
its own. Each run has a process of its own; the peak is that of RSS, taken from the system.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from process_tree import ProcessTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SERIES = "select g as id, g * 0.25::float8 as fare, 'n' || g as note from generate_series(1, {rows}) g"
TABLE = "select id, fare, note from rows"
# name -> (who reads, how PostgreSQL or SQLite is reached)
RUNS = {
    "streamframe, PostgreSQL URI (ADBC)": ("ours", "uri"),
    "streamframe, psycopg": ("ours", "psycopg"),
    "pandas chunksize, SQLAlchemy, stream_results": ("pandas", "stream"),
    "pandas chunksize, SQLAlchemy": ("pandas", "engine"),
    "streamframe, SQLite URI": ("ours", "sqlite URI"),
    "streamframe, sqlite3": ("ours", "sqlite3"),
    "pandas chunksize, sqlite3": ("pandas", "sqlite3"),
}


def main() -> None:
    """Run all, or, with `--child`, one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--memory", default="64MB")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(**json.loads(given.child))))
        return
    from tests.databases.postgres import Postgres

    with Postgres() as server, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.db"
        _fill(file, given.rows)
        for name, (who, way) in RUNS.items():
            query = TABLE if "sqlite" in way else SERIES.format(rows=given.rows)
            places = {"file": str(file), "uri": server.uri, "conninfo": server.conninfo}
            child = json.dumps({"who": who, "way": way, "query": query, "memory": given.memory, "places": places})
            ran = subprocess.run([sys.executable, __file__, "--child", child], capture_output=True, text=True)
            if ran.returncode:
                print(f"{name:<46} {ran.stderr.strip().splitlines()[-1]}")
                continue
            found = json.loads(ran.stdout)
            assert found["rows"] == given.rows, found
            print(f"{name:<46} {found['rows'] / found['seconds']:>12,.0f} rows/s {found['peak_mb']:>8,.0f} MB")


def measured(who: str, way: str, query: str, memory: str, places: dict[str, str]) -> dict[str, float]:
    """Read all rows; return how many, the seconds, and the peak over the imports."""
    import adbc_driver_postgresql.dbapi
    import pandas as pd
    import psycopg
    import sqlalchemy as sa

    import streamframe as sf

    assert adbc_driver_postgresql
    with contextlib.ExitStack() as stack:
        engine = sa.create_engine(places["uri"].replace("postgresql:", "postgresql+psycopg:"))
        connect = {
            "uri": lambda: places["uri"],
            "sqlite URI": lambda: f"sqlite:///{places['file']}",
            "sqlite3": lambda: stack.enter_context(contextlib.closing(sqlite3.connect(places["file"]))),
            "psycopg": lambda: stack.enter_context(psycopg.connect(places["conninfo"])),
            "engine": lambda: stack.enter_context(engine.connect()),
            "stream": lambda: stack.enter_context(engine.connect().execution_options(stream_results=True)),
        }
        tree, started = ProcessTree(watched=False), time.perf_counter()
        if who == "ours":
            with sf.options(memory=memory):
                rows = sum(batch.num_rows for batch in sf.read_sql(query, connect[way]()))
        else:
            rows = sum(len(chunk) for chunk in pd.read_sql(query, connect[way](), chunksize=10_000))
        seconds = time.perf_counter() - started
        return {"rows": rows, "seconds": seconds, "peak_mb": tree.stop()[1]}


def _fill(file: Path, rows: int) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("create table rows (id integer, fare real, note text)")
        connection.execute(
            "with recursive g(n) as (select 1 union all select n + 1 from g where n < ?) "
            "insert into rows select n, n * 0.25, 'n' || n from g",
            [rows],
        )
        connection.commit()


if __name__ == "__main__":
    main()
