"""A directory of a store, such as S3, where nothing can be renamed.

Rules:
* Files are sent while they are written, and completed at `commit` only, in order; then the manifest is
  replaced; then what it no longer names is deleted.
* New files never take the name of an old one. So whoever goes by the manifest sees the old set or the new one.
  What is weaker than on a disk: who lists instead sees some of the new files before the manifest names them, and
  for a moment the old ones beside the new ones.
* Before the first file is completed, a journal says which come and which go. The next run into the directory
  finds it where this one was killed, and finishes either the new set or the old one.
* What a run saves has to be completed, so it can be listed, as above; the journal then holds the saved manifest as
  well. A run that is to go on there takes it from the journal; any other deletes it.
* The journal is also what keeps exports apart: one only can make it, where the store promises that, and goes on if the
  manifest is still what it was when the export began. So of two at once the later fails, before any of its files is
  there. One that is opened while another completes takes that for killed; which notices that its journal is gone.
* What a killed run had sent without completing it is invisible, and stays until the store's own rule for abandoned
  uploads removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from streamframe.errors import SinkError
from streamframe.io.atomic_directory import (
    BUFFER_BYTES,
    MANIFEST,
    AtomicDirectory,
    Continues,
    Mode,
    PartFile,
    check_mode,
    check_replaceable,
)
from streamframe.io.atomic_file import translating
from streamframe.io.atomic_targets import StoreFile
from streamframe.io.redact import secrets_of

JOURNAL = "_streamframe.journal.json"
# The least that S3 takes as one piece of an upload; 10,000 of them make 50 GB.
_UPLOAD_BYTES = 5 << 20


class StoreDirectory(AtomicDirectory):
    """Uploads that are completed together, and a manifest that makes them the content."""

    file_bytes = _UPLOAD_BYTES + BUFFER_BYTES

    def __init__(
        self, label: str, uri: str, fs: Any, root: str, mode: Mode, suffix: str, continues: Continues | None = None
    ) -> None:
        super().__init__(label)
        self._uri, self._fs, self._root = uri.rstrip("/"), fs, root.rstrip("/")
        self._parts: list[_StorePart] = []
        self._published: list[str] = []
        self._done = False
        # What this run has last written there; None while there is none of its own.
        self._journal: bytes | None = None
        with self._guard("opened"):
            self._mend(take_over=continues is not None)
            names = frozenset(self._list()).difference(self._published, [JOURNAL])
            self._before = self._read(MANIFEST) if MANIFEST in names else None
            if mode == "overwrite":
                check_replaceable(label, names, suffix, self._before)
            elif names:
                self.manifest = self._before
                check_mode(label, mode, self.manifest, continues)
        self.taken = names
        self._goes = sorted(names - {MANIFEST}) if mode == "overwrite" else []

    def create(self, name: str) -> PartFile:
        with self._guard("written"):
            part = _StorePart(name, StoreFile(self._path(name), self._uri, self._fs, self._path(name), _UPLOAD_BYTES))
        self._parts.append(part)
        return part

    def keep(self, files: Mapping[str, int]) -> bool:
        with self._guard("opened"):
            self._delete(name for name in self._published if name not in files)
            self._published = [*files]
            self.taken |= files.keys()
            return all(self._size(name) == nbytes for name, nbytes in files.items())

    def read(self, name: str) -> bytes:
        with self._guard("opened"):
            return bytes(self._fs.cat_file(self._path(name)))

    def leave_out(self, names: Collection[str]) -> None:
        self._goes = sorted({*self._goes, *names})

    def save(self, manifest: bytes) -> None:
        with self._guard("saved"):
            self._publish([part for part in self._parts if part.closed], manifest)
            self.saved = manifest
            self._write_journal(manifest)

    def commit(self, manifest: bytes) -> None:
        with self._guard("completed"):
            self._publish(self._parts, manifest)
            self._require_journal()
            self._write(MANIFEST, manifest)
            self._done = True
            self._delete([*self._goes, JOURNAL])

    def abort(self) -> None:
        if not self._done:
            self._done = True
            for part in self._parts:
                part.discard()
            if self.saved is None:
                with contextlib.suppress(Exception):
                    if self._has_journal():
                        self._mend()

    def _publish(self, parts: list[_StorePart], manifest: bytes) -> None:
        if self._journal is None:
            self._begin_journal()
        self._require_journal()
        self._published += [part.name for part in parts]
        self._write_journal(manifest)
        for part in parts:
            part.publish()
        self._parts = [part for part in self._parts if part not in parts]

    def _write_journal(self, manifest: bytes) -> None:
        journal = {
            "run": self.run,
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            "comes": self._published,
            "goes": self._goes,
            "saved": None if self.saved is None else self.saved.decode(),
        }
        self._journal = json.dumps(journal).encode()
        self._write(JOURNAL, self._journal)

    def _begin_journal(self) -> None:
        """Make a journal of nothing, unless another export has one or has changed the directory."""
        # Whoever finds it has nothing to mend: what files of this run are called is not sure to be free yet.
        begun = json.dumps({"run": self.run, "manifest_sha256": "", "comes": [], "goes": [], "saved": None}).encode()
        try:
            self._fs.pipe_file(self._path(JOURNAL), begun, mode="create")
        except Exception as error:  # a store that has no such promise says so in words of its own
            found = self._read(JOURNAL)
            # It is ours where the answer to a first try was lost, and s3fs has tried again.
            if found != begun and (found is not None or isinstance(error, FileExistsError)):
                raise self._is_another("is being written by another export") from error
            if found is None:
                self._write(JOURNAL, begun)
        self._journal = begun
        if self._read(MANIFEST) != self._before:
            self._delete([JOURNAL])
            self._journal = None
            raise self._is_another("was changed by another export meanwhile")

    def _has_journal(self) -> bool:
        return self._journal is not None and self._read(JOURNAL) == self._journal

    def _require_journal(self) -> None:
        if not self._has_journal():
            raise self._is_another("was opened by another export, which has cleared away what this one had completed")

    def _is_another(self, what: str) -> SinkError:
        return SinkError(f"{self.label} {what}", source=self.label, hint="run it again, one export at a time.")

    def _mend(self, *, take_over: bool = False) -> None:
        """Finish what the journal of a killed run says, or take over what it has saved."""
        text = self._read(JOURNAL)
        if text is None:
            return
        journal = json.loads(text)
        manifest = self._read(MANIFEST)
        came = manifest is not None and hashlib.sha256(manifest).hexdigest() == journal["manifest_sha256"]
        if take_over and not came and journal.get("saved"):
            self.saved = journal["saved"].encode()
            self._journal = text
            self._published = journal["comes"]
            return
        self._delete([*journal["goes" if came else "comes"], JOURNAL])

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _list(self) -> Iterable[str]:
        # A listing that fsspec remembers knows neither new files nor new versions.
        self._fs.invalidate_cache()
        start = self._path("")
        return [path.removeprefix(start) for path in self._fs.find(self._root) if path.startswith(start)]

    def _size(self, name: str) -> int | None:
        try:
            return int(self._fs.info(self._path(name))["size"])
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> bytes | None:
        # s3fs takes what a listing of before did not have for missing.
        self._fs.invalidate_cache()
        try:
            return bytes(self._fs.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def _write(self, name: str, data: bytes) -> None:
        self._fs.pipe_file(self._path(name), data)

    def _delete(self, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(name))

    def _guard(self, verb: str) -> contextlib.AbstractContextManager[None]:
        return translating(self.label, verb, secrets_of(self._uri))


class _StorePart(PartFile):
    def __init__(self, name: str, file: StoreFile) -> None:
        super().__init__(file.label)
        self.name = name
        self._file = file

    def _write(self, data: memoryview) -> None:
        self._file.write(data)

    def _commit(self) -> None:
        self._file.send()

    def _abort(self) -> None:
        self._file.abort()

    def publish(self) -> None:
        """Make it visible."""
        self._file.commit()

    def discard(self) -> None:
        """Throw it away, also if it was completed on our side."""
        self._file.abort()
