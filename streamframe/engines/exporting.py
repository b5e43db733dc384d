"""Run a plan into a sink, to its end or not at all."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Protocol

import pyarrow as pa

from streamframe.engines.local import LocalRun
from streamframe.engines.positions import plan_lines
from streamframe.errors import ResumeError
from streamframe.plan.node import Node
from streamframe.plan.report import RunReport, Stats
from streamframe.plan.sink import Found, OpenSink, Sink, Written, started
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
    new, so is what is missing in it. A sink that goes on with what an earlier run has left finds that first, and says
    where this run begins; what could not be read before that is written to `rejects` again.

    Raises
    ------
    StreamError
        Whatever stopped the run; the sinks have been aborted then.
    """
    found = sink.find(plan_lines(plan))
    start = None if found is None else found.checkpoint
    try:
        run = LocalRun(plan, start=start, dictionaries=sink.takes_dictionaries, takes_rejects=rejects is not None)
    except BaseException as error:
        if found is not None:
            found.abort()
            _advise(error, found)
        raise
    opened: list[OpenSink] = []
    written: list[Written] = []
    try:
        try:
            opened.append(started(found or sink, run.schema, run))
            if rejects is not None:
                opened.append(started(rejects, REJECTS, run))
                _collect(run, opened[1], found)
            for batch in run:
                opened[0].write(batch.data)
                if observer is not None and observer.due():
                    observer.update(run.stats())
            while opened:
                # Where it raises, `abort` follows. A sink of the user's own may return nothing.
                done = opened[-1].commit()
                opened.pop()
                written.append(done if isinstance(done, Written) else Written())
        except BaseException as error:
            with ExitStack() as aborting:
                for each in opened:
                    aborting.callback(each.abort)
            if found is not None:
                _advise(error, found)
            raise
    finally:
        run.close()
    stats = run.stats()
    kept_rows = 0 if start is None else start.rows
    return RunReport(
        rows=kept_rows + stats.rows,
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
        kept_rows=kept_rows,
        bytes_again=stats.bytes_again,
    )


def _collect(run: LocalRun, sink: OpenSink, found: Found | None) -> None:
    """Write what cannot be read, behind what could not be read by the runs that this one goes on behind."""
    if found is not None:
        for batch in found.rejects():
            sink.write(batch)

    def take(batch: pa.RecordBatch, records: int) -> None:
        sink.write(batch)
        if found is not None:
            found.reject(batch, records)

    run.rejected.hand_to(take)


def _advise(error: BaseException, found: Found) -> None:
    """Say what is left for another run, or how to do without it."""
    if isinstance(error, ResumeError):
        error.hint = found.instead
    elif found.kept:
        error.add_note(f"streamframe: {found.kept}")
