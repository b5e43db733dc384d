"""The sources of one run: opened in order, read by threads or pulled, and let go of.

Rule: the first source is opened before the run begins and stays open, so that looking at its schema costs no second
connection; any other is opened when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import pyarrow as pa

from streamframe.batch import Mark, Marked
from streamframe.engines.positions import Identities
from streamframe.engines.steps import AnyStep, StepNames, scans_of
from streamframe.plan.context import RunContext
from streamframe.plan.node import Node, Scan
from streamframe.plan.report import Completeness, worst
from streamframe.plan.source import BlockReader, OpenSource
from streamframe.runtime.budget import Budget
from streamframe.runtime.decoding import Rejected, RowCounts
from streamframe.runtime.prefetch import Prefetch
from streamframe.runtime.pull import pulled

# So few rows are in the first block or two: reading ahead would only read what nobody wants.
_PULLED_ROWS = 10_000


class Reading:
    """What one run reads.

    Parameters
    ----------
    names : StepNames
        What the plan's steps are called in errors.
    budget : Budget
        Where the bytes that are read ahead are counted.
    identities : Identities
        Takes note of each source.
    rejected : Rejected
        Takes what cannot be read.
    start : Mark, optional
        Where the run goes on; None for the beginning of everything.
    """

    def __init__(
        self,
        names: StepNames,
        budget: Budget,
        identities: Identities,
        rejected: Rejected,
        start: Mark | None,
    ) -> None:
        self._names = names
        self._budget = budget
        self._identities = identities
        self._rejected = rejected
        self._start = start
        self._opened: dict[int, OpenSource] = {}
        self._scans: list[Prefetch] = []
        self._readers: list[BlockReader] = []
        # Those that no thread of ours reads.
        self._pulled: list[BlockReader] = []

    @property
    def bytes_read(self) -> int:
        return sum(reader.bytes_read for reader in self._readers)

    @property
    def bytes_total(self) -> int | None:
        """How many bytes there are, of one source that knows."""
        totals = [reader.bytes_total for reader in self._readers]
        return totals[0] if len(totals) == 1 else None

    @property
    def bytes_again(self) -> int:
        return sum(reader.bytes_again for reader in self._readers)

    @property
    def retries(self) -> int:
        return sum(reader.retries for reader in self._readers)

    @property
    def completeness(self) -> Completeness:
        return worst([reader.completeness for reader in self._readers])

    @property
    def waiting_on(self) -> Literal["source", "decode", "consumer"] | None:
        return self._scans[-1].waiting_on if self._scans else None

    def open(self, plan: Node, context: RunContext) -> dict[int, pa.Schema]:
        """Return the schema of every source; the first one stays open."""
        schemas: dict[int, pa.Schema] = {}
        for scan in scans_of(plan):
            source = scan.source
            if id(source) in schemas:
                continue
            known = source.known_schema
            if self._opened and known is not None:
                schemas[id(source)] = known
                continue
            with self._names.located(scan):
                opened = source.open(context)
            schemas[id(source)] = opened.schema
            if self._opened:
                opened.close()
            else:
                self._opened[id(source)] = opened
        return schemas

    def batches(self, scan: Scan, number: int, steps: Sequence[AnyStep], context: RunContext) -> Iterator[Marked]:
        """Yield the batches of a scan, the run's `number`-th, with the `steps` done to each."""
        start = self._start if self._start is not None and number == self._start.scan and self._start.inside else None
        with self._names.located(scan):
            opened = self._opened.pop(id(scan.source), None) or scan.source.open(context)
            try:
                self._identities.opened(number, opened)
            except BaseException:
                opened.close()
                raise
            reader = opened.read(replace(scan, start=start))
        self._readers.append(reader)
        counts = RowCounts(self._rejected, start)
        if not scan.source.threaded or (scan.limit is not None and scan.limit <= _PULLED_ROWS):
            self._pulled.append(reader)
            batches = pulled(reader, steps, counts)
        else:
            workers, grows = context.options.worker_count, any(step.grows for step in steps)
            prefetch = Prefetch(reader, steps, self._budget, workers, counts, grows=grows)
            self._scans.append(prefetch)
            batches = prefetch.batches()
        for data, mark in self._names.marked(scan, batches):
            yield Marked(data, replace(mark, scan=number) if number else mark)

    def rejects(self, scans: Sequence[Scan], first: int, context: RunContext) -> Iterator[Marked]:
        """Yield what cannot be read in these scans, in reading order; they have numbers from `first` on."""
        found: list[pa.RecordBatch] = []
        self._rejected.hand_to(lambda batch, _: found.append(batch))
        for number, scan in enumerate(scans, first):
            for _, mark in self.batches(scan, number, [], context):
                yield from (Marked(each, mark) for each in found)
                found.clear()
            yield from (Marked(each, Mark()) for each in found)
            found.clear()

    def stop(self) -> None:
        """Tell all threads that read to stop and free stalled reads; does not wait."""
        for scan in self._scans:
            scan.stop()
        for reader in self._pulled:
            reader.close()

    def close(self) -> None:
        """Stop, and wait until every thread is gone and every source is closed. Safe to call twice."""
        self.stop()
        for scan in self._scans:
            scan.close()
        for reader in self._readers:
            reader.close()
        for opened in self._opened.values():
            opened.close()
        self._opened.clear()
