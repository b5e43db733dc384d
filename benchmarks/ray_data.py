"""Ray Data on this one machine, which is not what it is made for: two tasks show where it stands."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from answers import Answer, counted

OBJECT_STORE_BYTES = 500_000_000


@contextlib.contextmanager
def started() -> Iterator[None]:
    """Run Ray's processes; what it takes to start and stop them does not count."""
    import os

    # Ray asks an outside server else.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    import ray.data

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level="ERROR",
    )
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _filtered(table: Any) -> Any:
    import pyarrow.compute as pc

    table = table.filter(pc.greater(table["distance"], 500))
    return table.append_column("lost", pc.subtract(table["arr_delay"], table["dep_delay"]))


def to_parquet(path: str, out: str, first: Callable[[], None]) -> None:
    """Write a folder of files: Ray does not write one."""
    import pyarrow.csv as pacsv
    import ray.data

    rows = ray.data.read_csv(path, parse_options=pacsv.ParseOptions(newlines_in_values=True))
    rows.map_batches(_filtered, batch_format="pyarrow", batch_size=None).write_parquet(out)


def batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    import ray.data

    tables = ray.data.read_parquet(path).iter_batches(batch_size=None, batch_format="pyarrow")
    return counted((batch for table in tables for batch in table.combine_chunks().to_batches()), first)
