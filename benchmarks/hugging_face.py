"""Hugging Face datasets: its streaming mode, which reads a file batch by batch and keeps no copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from answers import Answer, counted, counted_frames


def _streamed(path: str) -> Any:
    from datasets import load_dataset

    return load_dataset(
        "parquet" if path.endswith(".parquet") else "csv", data_files=path, split="train", streaming=True
    )


def batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    tables = _streamed(path).with_format("arrow").iter(batch_size=100_000)
    return counted((batch for table in tables for batch in table.combine_chunks().to_batches()), first)


def frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    return counted_frames(_streamed(path).with_format("pandas").iter(batch_size=100_000), first)
