"""What is measured: each task as streamframe does it, and as its peers do.

Rule: a function does the task as that library's own documentation would, within its defaults, calls
`first` when the first rows are there (if it hands out any), and returns what proves that it did all of
it: the number of rows and the sum of `distance`. What an export wrote is read back after the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import hugging_face
import ours
import peers
import ray_data
from answers import Does


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes
    ----------
    title : str
        For the table.
    data : str
        Which of the files it reads.
    target : float
        The ratio to the best peer that is to be reached.
    peers : dict of str to callable
        By library; a function gets the input, where to write, and `first`.
    writes : str
        The suffix of what an export makes.
    peer_targets : dict of str to float
        The ratio to reach to some one library, where more is wanted than to the best.
    first_ms : float, optional
        When the first rows are to be there.
    only_memory : bool
        No target says how fast it is to be.
    """

    title: str
    data: str
    target: float
    peers: dict[str, Does]
    writes: str = "parquet"
    peer_targets: dict[str, float] = field(default_factory=dict)
    first_ms: float | None = None
    only_memory: bool = False


_TO_PARQUET: dict[str, Does] = {
    "streamframe": ours.sf_to_parquet,
    "polars": peers.polars_to_parquet,
    "duckdb": peers.duckdb_to_parquet,
    "pyarrow.dataset": peers.dataset_to_parquet,
}
_BATCHES: dict[str, Does] = {
    "streamframe": ours.sf_batches,
    "polars": peers.polars_batches,
    "duckdb": peers.duckdb_batches,
    "Hugging Face": hugging_face.batches,
}

_IPC_BATCHES: dict[str, Does] = {
    "streamframe": ours.sf_batches,
    "polars": peers.polars_batches,
    "pyarrow.dataset": peers.dataset_batches,
}

TASKS = {
    "csv-parquet": Task(
        "CSV -> filter + computed column -> one Parquet file",
        "csv",
        0.85,
        {**_TO_PARQUET, "Ray Data": ray_data.to_parquet},
    ),
    "csv-batches": Task(
        "CSV -> iterate RecordBatches",
        "csv",
        0.75,
        {**_BATCHES, "pyarrow.csv": peers.pyarrow_csv_batches, "pyarrow.dataset": peers.dataset_batches},
        first_ms=50,
    ),
    "csv-groups": Task(
        "CSV -> group by a string key, 4 columns",
        "csv",
        0.90,
        {"streamframe": ours.sf_groups, "polars": peers.polars_groups, "duckdb": peers.duckdb_groups},
    ),
    "csv-frames": Task(
        "CSV -> iterate DataFrames of 100k rows",
        "csv",
        0.90,
        {
            "streamframe": ours.sf_frames,
            "pandas": peers.pandas_frames,
            "duckdb": peers.duckdb_frames,
            "Hugging Face": hugging_face.frames,
        },
        peer_targets={"pandas": 0.40},
    ),
    "parquet-batches": Task(
        "Parquet -> iterate RecordBatches",
        "parquet",
        1.0,
        {
            **_BATCHES,
            "ParquetFile": peers.parquet_file_batches,
            "pyarrow.dataset": peers.dataset_batches,
            "Ray Data": ray_data.batches,
        },
    ),
    "giant-batches": Task(
        "Parquet of one giant row group -> iterate RecordBatches",
        "giant.parquet",
        1.0,
        {**_BATCHES, "ParquetFile": peers.parquet_file_batches, "pyarrow.dataset": peers.dataset_batches},
    ),
    "parquet-frames": Task(
        "Parquet -> iterate DataFrames",
        "parquet",
        0.9,
        {
            "streamframe": ours.sf_frames,
            "ParquetFile": peers.parquet_file_frames,
            "duckdb": peers.duckdb_frames,
            "Hugging Face": hugging_face.frames,
        },
    ),
    "parquet-groups": Task(
        "Parquet -> filter -> group by",
        "parquet",
        1.5,
        {
            "streamframe": ours.sf_filtered_groups,
            "polars": peers.polars_filtered_groups,
            "duckdb": peers.duckdb_filtered_groups,
        },
    ),
    "parquet-parquet": Task("Parquet -> filter -> Parquet", "parquet", 1.0, _TO_PARQUET),
    "parquet-csv": Task(
        "Parquet -> CSV",
        "parquet",
        1.0,
        {"streamframe": ours.sf_to_csv, "polars": peers.polars_to_csv, "duckdb": peers.duckdb_to_csv},
        writes="csv",
    ),
    "gz-parquet": Task(
        "CSV.gz -> Parquet",
        "csv.gz",
        0.6,
        {"streamframe": ours.sf_to_parquet, "polars": peers.polars_to_parquet, "duckdb": peers.duckdb_to_parquet},
    ),
    "ndjson-parquet": Task(
        "NDJSON -> Parquet",
        "ndjson",
        0.9,
        {"streamframe": ours.sf_to_parquet, "polars": peers.polars_to_parquet, "duckdb": peers.duckdb_to_parquet},
    ),
    "ndjson-batches": Task(
        "NDJSON -> iterate RecordBatches",
        "ndjson",
        1.0,
        {"streamframe": ours.sf_batches, "polars": peers.polars_batches, "duckdb": peers.duckdb_batches},
        only_memory=True,
    ),
    "ipc-batches": Task("Arrow IPC -> iterate RecordBatches", "arrow", 1.0, _IPC_BATCHES, only_memory=True),
    "giant-ipc": Task(
        "Arrow IPC of one giant batch -> iterate RecordBatches", "giant.arrow", 1.0, _IPC_BATCHES, only_memory=True
    ),
    "orc-batches": Task(
        "ORC -> iterate RecordBatches",
        "orc",
        1.0,
        {"streamframe": ours.sf_batches, "pyarrow.dataset": peers.dataset_batches, "ORCFile": peers.orc_file_batches},
        only_memory=True,
    ),
    "http": Task(
        "chunked HTTP CSV without length -> iterate",
        "http",
        0.6,
        {"streamframe": ours.sf_csv_batches, "pyarrow.csv on fsspec": peers.pyarrow_over_fsspec},
    ),
    "verbs": Task(
        "CSV -> 10 cheap verbs -> iterate, against none",
        "csv",
        1.10,
        {"streamframe": ours.sf_ten_verbs, "no verbs": ours.sf_batches},
    ),
    "workers": Task(
        "CSV -> iterate, 2 workers against 1",
        "csv",
        1 / 1.7,
        {"streamframe": ours.sf_two_workers, "1 worker": ours.sf_one_worker},
    ),
}
