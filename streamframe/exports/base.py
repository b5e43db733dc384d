"""How a run ends in a sink: what all verbs that write share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamframe.display.progress import ProgressLine
from streamframe.engines.exporting import export
from streamframe.engines.positions import require_resumable
from streamframe.engines.steps import in_reading_order, scans_of
from streamframe.errors import PlanError
from streamframe.formats.base import FileEncoding
from streamframe.formats.csv import CsvEncoding
from streamframe.options import current_options
from streamframe.plan.node import Node
from streamframe.plan.report import RunReport
from streamframe.plan.sink import Sink
from streamframe.sinks.apart import require_apart
from streamframe.sinks.by_suffix import file_sink
from streamframe.sinks.directory import Directory
from streamframe.sinks.files import File
from streamframe.sinks.layout import Layout
from streamframe.sinks.rejects import RejectsAsText


class Exporting:
    """The part of `StreamFrame` that runs its plan into a sink."""

    __slots__ = ()
    _plan: Node

    def _export(
        self,
        path: Any,
        encoding: FileEncoding,
        layout: Layout | None,
        rejects: Any,
        storage_options: Mapping[str, Any] | None,
    ) -> RunReport:
        sink: Sink = File(path, encoding, storage_options)
        if layout is not None:
            sink = Directory(path, encoding, layout, storage_options, keeps_rejects=rejects is not None)
            if layout.resume:
                require_resumable(self._plan, "export it without resume=True")
        beside = None
        if rejects is not None:
            require_quarantine(self._plan)
            beside = file_sink(rejects, "rejects", storage_options)
        return self._into(sink, beside)

    def _into(self, sink: Sink, beside: Sink | None = None) -> RunReport:
        passed = [each for node in in_reading_order(self._plan) for each in node.sinks]
        require_apart([sink, *([] if beside is None else [beside]), *passed])
        if isinstance(beside, File) and isinstance(beside.encoding, CsvEncoding):
            beside = RejectsAsText(beside)
        with ProgressLine(sink.describe(), current_options().progress) as line:
            report = export(self._plan, sink, line, beside)
            line.finish(report)
        return report


def require_quarantine(plan: Node) -> None:
    """Raise `PlanError` if no source of a plan keeps what cannot be read."""
    if not any(scan.source.quarantines for scan in scans_of(plan)):
        raise PlanError(
            'nothing in this plan is read with errors="quarantine", so no rejects are kept',
            hint='pass errors="quarantine" to read_csv, read_ndjson or read_lines.',
        )
