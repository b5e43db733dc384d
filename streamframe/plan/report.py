"""What a run tells about itself: while it goes on, and at its end.

Rule: both are frozen snapshots. Whoever shows them asks for `facts()`, so that text and HTML
say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Literal

from streamframe.plan.quantities import human_bytes, human_count, human_rate, human_seconds, plural

WaitingOn = Literal["source", "decode", "consumer"]
Completeness = Literal["verified", "unknown"]
# A receipt stays one glance long, however many files were written.
_SHOWN_FILES = 3


@dataclass(frozen=True)
class Stats:
    """A snapshot of a run under way.

    Attributes
    ----------
    rows : int
        Rows handed to the consumer so far.
    batches : int
        Batches handed to the consumer so far.
    bytes_read : int
        Bytes taken from the sources, as they came (compressed, say).
    bytes_total : int or None
        Bytes there are to read, in the unit of `bytes_read`; None if nobody can tell.
    bytes_buffered : int
        Bytes held at this moment: read ahead, being decoded, waiting, kept by steps and sinks.
    peak_bytes : int
        The most bytes held at once so far.
    limit_bytes : int
        The bytes that the run may hold: the option `memory`.
    retries : int
        Connections that were opened again after a fault.
    waiting_on : {"source", "decode", "consumer"} or None
        Who the others wait for now; None if nobody waits.
    seconds : float
        Time since the run started.
    first_batch_s : float or None
        Seconds from the start to the first batch; None while there is none.
    completeness : {"verified", "unknown"}
        Whether what was read up to its end is sure to be all there is; see `RunReport`.
    rejected : int
        Records left out so far, since they could not be read.
    nulled : int
        Values that could not be read so far, and are null instead.
    bytes_again : int
        Bytes before the place to go on from that were read once more, decompressed: with ``resume``, of a source that
        cannot be entered in its middle.
    """

    rows: int
    batches: int
    bytes_read: int
    bytes_total: int | None
    bytes_buffered: int
    peak_bytes: int
    limit_bytes: int
    retries: int
    waiting_on: WaitingOn | None
    seconds: float
    first_batch_s: float | None
    completeness: Completeness = "verified"
    rejected: int = 0
    nulled: int = 0
    bytes_again: int = 0

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Return (label, value) pairs in the order in which a person asks for them."""
        total = "" if self.bytes_total is None else f" of {human_bytes(self.bytes_total)}"
        return (
            ("rows", f"{human_count(self.rows)} in {self.batches:,} batch{'' if self.batches == 1 else 'es'}"),
            *_reject_facts(self.rejected, self.nulled),
            ("read", human_bytes(self.bytes_read) + total),
            *_again_facts(self.bytes_again),
            *_time_facts(self.rows, self.seconds, self.first_batch_s),
            ("held now", f"{human_bytes(self.bytes_buffered)} of {human_bytes(self.limit_bytes)}"),
            ("peak held", human_bytes(self.peak_bytes)),
            *_retry_facts(self.retries),
            *_completeness_facts(self.completeness),
            ("waiting on", self.waiting_on or "nobody"),
        )


@dataclass(frozen=True)
class RunReport:
    """The receipt of an export.

    Attributes
    ----------
    rows : int
        Rows written.
    bytes_written : int
        Bytes of all files together.
    files : tuple of str
        What was written, as labels without secrets.
    seconds : float
        Time from the call to the finished files.
    peak_bytes : int
        The most bytes held at once.
    retries : int
        Connections that were opened again after a fault.
    bytes_read : int
        Bytes taken from the sources, as they came (compressed, say).
    limit_bytes : int
        The bytes that the run was allowed to hold: the option `memory`.
    first_batch_s : float or None
        Seconds from the start to the first batch; None if there was none.
    completeness : {"verified", "unknown"}
        ``"unknown"`` if a server named no size, so that an early end cannot be told from the end;
        ``expect_bytes`` or ``expect_sha256`` in `storage_options` verify such a source too.
    rejected : int
        Records left out, since they could not be read: with ``errors="skip"``, ``"quarantine"`` or ``"null"``.
    nulled : int
        Values that could not be read, and are null instead: with ``errors="null"``.
    kept_rows : int
        Of the rows, those that an earlier run had written before it was stopped: with ``resume=True``.
    bytes_again : int
        Bytes that the earlier run had read, and this one had to read once more; see `Stats`.
    """

    rows: int
    bytes_written: int
    files: tuple[str, ...]
    seconds: float
    peak_bytes: int
    retries: int
    bytes_read: int
    limit_bytes: int
    first_batch_s: float | None
    completeness: Completeness = "verified"
    rejected: int = 0
    nulled: int = 0
    kept_rows: int = 0
    bytes_again: int = 0

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Return (label, value) pairs in the order in which a person asks for them."""
        kept = "all" if self.kept_rows == self.rows else human_count(self.kept_rows)
        shown = ", ".join(self.files[:_SHOWN_FILES])
        if len(self.files) > _SHOWN_FILES:
            shown += f", … ({len(self.files) - _SHOWN_FILES:,} more)"
        return (
            ("rows", human_count(self.rows) + (f", {kept} of them before" if self.kept_rows else "")),
            *_reject_facts(self.rejected, self.nulled),
            ("read", human_bytes(self.bytes_read)),
            *_again_facts(self.bytes_again),
            ("written", f"{human_bytes(self.bytes_written)} in {plural(len(self.files), 'file')}"),
            *([("to", shown)] if shown else []),
            *_time_facts(self.rows - self.kept_rows, self.seconds, self.first_batch_s),
            ("peak held", f"{human_bytes(self.peak_bytes)} of {human_bytes(self.limit_bytes)}"),
            *_retry_facts(self.retries),
            *_completeness_facts(self.completeness),
        )

    def __repr__(self) -> str:
        return _text_of(self)

    def _repr_html_(self) -> str:
        return _html_of(self)


@dataclass(frozen=True)
class CopyReport:
    """The receipt of a copy.

    Attributes
    ----------
    source, target : str
        Labels without secrets.
    nbytes : int
        Bytes of the target.
    kept_bytes : int
        Of these, what a run before had copied: read from the disk to check them, not from the source.
    sha256 : str
        The digest of all bytes, in hexadecimal.
    seconds : float
        Time from the call to the finished target.
    retries : int
        Connections that were opened again after a fault.
    completeness : {"verified", "unknown"}
        ``"unknown"`` if a server named no size, so that an early end cannot be told from the end.
    """

    source: str
    target: str
    nbytes: int
    kept_bytes: int
    sha256: str
    seconds: float
    retries: int
    completeness: Completeness = "verified"

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Return (label, value) pairs in the order in which a person asks for them."""
        kept = f", {human_bytes(self.kept_bytes)} of it before" if self.kept_bytes else ""
        return (
            ("copied", human_bytes(self.nbytes) + kept),
            ("from", self.source),
            ("to", self.target),
            ("sha256", self.sha256),
            ("time", human_seconds(self.seconds)),
            *_retry_facts(self.retries),
            *_completeness_facts(self.completeness),
        )

    def __repr__(self) -> str:
        return _text_of(self)

    def _repr_html_(self) -> str:
        return _html_of(self)


def worst(found: Iterable[Completeness]) -> Completeness:
    """Return what holds for all parts together."""
    return "unknown" if "unknown" in found else "verified"


def printable(text: str) -> str:
    """Return text with line ends and terminal escapes spelled out."""
    # Names come from files and servers: shown raw, they could forge lines or drive the terminal.
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _text_of(report: RunReport | CopyReport) -> str:
    facts = report.facts()
    width = max(len(label) for label, _ in facts)
    return "\n".join([type(report).__name__, *(f"  {label:<{width}}  {printable(value)}" for label, value in facts)])


def _html_of(report: RunReport | CopyReport) -> str:
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(label)}</th>'
        f'<td style="text-align:left">{escape(printable(value))}</td></tr>'
        for label, value in report.facts()
    )
    return f'<table><caption style="text-align:left">{type(report).__name__}</caption><tbody>{rows}</tbody></table>'


def _time_facts(rows: int, seconds: float, first_batch_s: float | None) -> list[tuple[str, str]]:
    rate = human_rate(rows, seconds) if rows else ""
    facts = [("time", human_seconds(seconds) + (f", {rate}" if rate else ""))]
    if first_batch_s is not None:
        facts.append(("first batch", f"after {human_seconds(first_batch_s)}"))
    return facts


def _reject_facts(rejected: int, nulled: int) -> list[tuple[str, str]]:
    facts = [("rejected", plural(rejected, "record"))] if rejected else []
    return [*facts, ("made null", plural(nulled, "value"))] if nulled else facts


def _again_facts(nbytes: int) -> list[tuple[str, str]]:
    if not nbytes:
        return []
    return [("read again", f"{human_bytes(nbytes)} before the place to go on from, which cannot be entered directly")]


def _retry_facts(retries: int) -> list[tuple[str, str]]:
    return [("retries", human_count(retries))] if retries else []


def _completeness_facts(completeness: Completeness) -> list[tuple[str, str]]:
    if completeness == "verified":
        return []
    return [("complete", "unknown: a server named no size; expect_bytes or expect_sha256 would prove it")]
