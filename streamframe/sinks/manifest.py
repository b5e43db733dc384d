"""What a directory of ours holds, in the one file that says so.

Rule: the manifest is written last; a file that it does not name is not part of the data.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

import pyarrow as pa

from streamframe.errors import ResumeError, SinkError
from streamframe.plan.checkpoint import Checkpoint, Origin

VERSION = 1
# Files that differ in one of these cannot be read together.
_TOLD_TO_READERS = frozenset({"header", "sep", "quotechar", "encoding"})


@dataclass(frozen=True)
class FileEntry:
    """One file: its path below the directory, and what it holds."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The content of a directory.

    Attributes
    ----------
    format : str
        Of the files, such as ``"parquet"``.
    schema : pyarrow.Schema
        Of the rows, with the columns that the folders name.
    partition_by : tuple of str
        Those columns, the outermost folder first.
    files : tuple of FileEntry
        By path.
    run : str
        Which run has written it; empty if no other can go on there.
    last : Checkpoint or None
        How far that run had come: the plan, what it had read, and where in that. None if no other can go on there.
    origin : Origin or None
        Where the rows come from that the latest run has written, for people to read.
    settings : mapping
        How the format is written, see `settings_of`.
    rejects : tuple of FileEntry or None
        Files with what could not be read before `last`, see `kept_rejects`. None if nobody keeps that.
    """

    format: str
    schema: pa.Schema
    partition_by: tuple[str, ...]
    files: tuple[FileEntry, ...]
    run: str = ""
    last: Checkpoint | None = None
    origin: Origin | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    rejects: tuple[FileEntry, ...] | None = None

    @property
    def rows(self) -> int:
        """Rows of all files together."""
        return sum(file.rows for file in self.files)

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        facts = {
            "version": VERSION,
            "format": self.format,
            "partition_by": self.partition_by,
            "schema": {
                "text": [f"{field.name}: {field.type}" for field in self.schema],
                "arrow": base64.b64encode(self.schema.serialize()).decode(),
            },
            **({"settings": dict(self.settings)} if self.settings else {}),
            "rows": self.rows,
            # Two exports of the same rows are the same bytes, if none of them is to be continued.
            **({"run": self.run} if self.run else {}),
            "plan": None if self.origin is None else self.origin.plan,
            "source": None if self.origin is None else self.origin.source,
            "last": self._last(),
            **({} if self.rejects is None else {"rejects": [vars(file) for file in self.rejects]}),
        }
        # A file in a line: for people, and since there may be thousands, for which json takes a tenth of a second.
        files = ",\n  ".join(
            f'{{"path": {json.dumps(file.path, ensure_ascii=False)}, "rows": {file.rows}, "bytes": {file.bytes}, '
            f'"sha256": "{file.sha256}"}}'
            for file in self.files
        )
        head = json.dumps(facts, indent=1, ensure_ascii=False).removesuffix("\n}")
        # The name of a source that is no UTF-8 has lone surrogates, which JSON takes as escapes of just this form.
        return f'{head},\n "files": [\n  {files}\n ]\n}}'.encode(errors="backslashreplace")

    def _last(self) -> Any:
        if self.last is not None:
            return json.loads(self.last.to_json())
        if self.origin is None or self.origin.mark is None:
            return None
        return {"mark": asdict(self.origin.mark), "rows": self.origin.rows}

    @classmethod
    def from_bytes(cls, data: bytes, label: str) -> Manifest:
        """Read what `to_bytes` has written.

        Raises
        ------
        SinkError
            If it is damaged, or of a later version.
        """
        try:
            facts = json.loads(data)
            if facts["version"] > VERSION:
                raise SinkError(
                    f"the manifest of {label} is of version {facts['version']}; the last one known here is {VERSION}",
                    source=label,
                    hint="install a newer streamframe.",
                )
            return cls(
                facts["format"],
                pa.ipc.read_schema(pa.py_buffer(base64.b64decode(facts["schema"]["arrow"]))),
                tuple(facts["partition_by"]),
                tuple(FileEntry(**file) for file in facts["files"]),
                facts.get("run", ""),
                # Without a run that others may go on with, it only tells.
                Checkpoint.from_json(json.dumps(facts["last"])) if facts.get("run") and facts.get("last") else None,
                settings=dict(facts.get("settings", {})),
                rejects=tuple(FileEntry(**file) for file in facts["rejects"]) if "rejects" in facts else None,
            )
        except (ValueError, KeyError, TypeError, pa.ArrowException, ResumeError) as error:
            raise SinkError(
                f"the manifest of {label} is damaged: {error}", source=label, hint="write the directory again."
            ) from error

    def check_continues(self, old: Manifest, label: str, *, resumes: bool) -> None:
        """Raise `SinkError` if what was written before is something else; `ResumeError` if this run continues it."""
        kind = ResumeError if resumes else SinkError
        for name, before, now in (
            ("format", old.format, self.format),
            ("partition_by", list(old.partition_by), list(self.partition_by)),
            ("columns", _columns(old.schema), _columns(self.schema)),
        ):
            if before != now:
                raise kind(
                    f"{label} was written with {name} {before}, and this export has {now}",
                    source=label,
                    hint='make them the same, or pass mode="overwrite".',
                )
        # Older versions have not noted them. To go on is to write one export, in which all files are alike.
        for name in sorted(old.settings if resumes else _TOLD_TO_READERS & old.settings.keys()):
            was, is_now = old.settings[name], self.settings.get(name)
            if was != is_now:
                raise kind(
                    f"{label} was written with {name}={was}, and this export has {is_now}",
                    source=label,
                    hint='make them the same, or pass mode="overwrite".',
                )


def settings_of(encoding: Any) -> dict[str, str]:
    """Return the options of a format's writer, spelled out; those of its parts among them."""
    found: dict[str, str] = {}
    for each in fields(encoding):
        value = getattr(encoding, each.name)
        found |= settings_of(value) if is_dataclass(value) else {each.name: repr(value)}
    return found


def joined(old: Sequence[FileEntry], new: Sequence[FileEntry]) -> tuple[FileEntry, ...]:
    """Return all files, by path."""
    return tuple(sorted((*old, *new), key=lambda file: file.path))


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
