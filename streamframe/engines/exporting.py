"""Run a plan into a sink, to its end or not at all."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Protocol

from streamframe.engines.local import LocalRun
from streamframe.plan.node import Node
from streamframe.plan.report import RunReport, Stats
from streamframe.plan.sink import OpenSink, Sink, Written
from streamframe.plan.source import REJECTS


class Observer(Protocol):
    """Who is told how far an export is."""

    def due(self) -> bool:
        """Tell whether a snapshot is wanted now."""
        ...

    def update(self, stats: Stats) -> None:
        """Take a snapshot."""
        ...


def export(plan: Node, sink: Sink, observer: Observer | None = None, rejects: Sink | None = None) -> RunReport:
    """Run a plan into a sink; the target is new and whole afterwards, or as it was.

    What cannot be read goes to `rejects`, if that is given. It is committed first: where the target is
    new, so is what is missing in it.

    Raises
    ------
    StreamError
        Whatever stopped the run; the sinks have been aborted then.
    """
    run = LocalRun(plan)
    opened: list[OpenSink] = []
    written: list[Written] = []
    try:
        try:
            opened.append(sink.start(run.schema, run))
            if rejects is not None:
                opened.append(rejects.start(REJECTS, run))
                run.rejected.take = opened[1].write
            for batch in run:
                opened[0].write(batch.data)
                if observer is not None and observer.due():
                    observer.update(run.stats())
            while opened:
                written.append(opened[-1].commit())
                opened.pop()
        except BaseException:
            with ExitStack() as aborting:
                for each in opened:
                    aborting.callback(each.abort)
            raise
    finally:
        run.close()
    stats = run.stats()
    return RunReport(
        rows=stats.rows,
        bytes_written=sum(each.bytes_written for each in written),
        files=tuple(file for each in reversed(written) for file in each.files),
        seconds=stats.seconds,
        peak_bytes=stats.peak_bytes,
        retries=stats.retries,
        bytes_read=stats.bytes_read,
        limit_bytes=stats.limit_bytes,
        first_batch_s=stats.first_batch_s,
        completeness=stats.completeness,
        rejected=stats.rejected,
        nulled=stats.nulled,
    )
