"""Each task as streamframe does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from answers import Answer, counted, counted_frames, groups


def _sf(**options: Any) -> Any:
    import streamframe as sf

    sf.set_options(progress=False, **{name: value for name, value in options.items() if value is not None})
    return sf


def sf_to_parquet(path: str, out: str, first: Callable[[], None]) -> None:
    sf = _sf()
    frame = sf.read(path)
    frame.filter(sf.col("distance") > 500).with_columns(lost=sf.col("arr_delay") - sf.col("dep_delay")).to_parquet(out)


def sf_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    return counted(_sf().read(path), first)


def sf_csv_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    return counted(_sf().read_csv(path), first)


def sf_frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    return counted_frames(_sf().read(path).iter_pandas(chunksize=100_000), first)


def sf_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _sf_groups(_sf().read(path))


def sf_filtered_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    sf = _sf()
    return _sf_groups(sf.read(path).filter(sf.col("distance") > 500))


def _sf_groups(frame: Any) -> Answer:
    import streamframe as sf

    made = frame.group_by("carrier").agg(
        n=sf.count(), delay=("dep_delay", "sum"), far=("distance", "max"), mean=("air_time", "mean")
    )
    return groups(row.values() for row in made.iter_rows())


def sf_to_csv(path: str, out: str, first: Callable[[], None]) -> None:
    _sf().read(path).to_csv(out)


def sf_ten_verbs(path: str, out: str, first: Callable[[], None]) -> Answer:
    sf = _sf()
    frame = sf.read(path)
    for number in range(5):
        frame = frame.rename({"year": f"y{number}"}).rename({f"y{number}": "year"})
    return counted(frame, first)


def sf_one_worker(path: str, out: str, first: Callable[[], None]) -> Answer:
    return counted(_sf(workers=1).read(path), first)


def sf_two_workers(path: str, out: str, first: Callable[[], None]) -> Answer:
    return counted(_sf(workers=2).read(path), first)
