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
* Nothing locks a store: one export at a time is the user's business. What a killed run had sent without completing
  it is invisible, and stays until the store's own rule for abandoned uploads removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

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
        with self._guard("opened"):
            self._mend(take_over=continues is not None)
            names = frozenset(self._list()).difference(self._published, [JOURNAL])
            if mode == "overwrite":
                check_replaceable(label, names, suffix)
            elif names:
                self.manifest = self._read(MANIFEST)
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

    def save(self, manifest: bytes) -> None:
        with self._guard("saved"):
            self._publish([part for part in self._parts if part.closed], manifest)
            self.saved = manifest
            self._write_journal(manifest)

    def commit(self, manifest: bytes) -> None:
        with self._guard("completed"):
            self._publish(self._parts, manifest)
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
                    self._mend()

    def _publish(self, parts: list[_StorePart], manifest: bytes) -> None:
        self._published += [part.name for part in parts]
        self._write_journal(manifest)
        for part in parts:
            part.publish()
        self._parts = [part for part in self._parts if part not in parts]

    def _write_journal(self, manifest: bytes) -> None:
        journal = {
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            "comes": self._published,
            "goes": self._goes,
            "saved": None if self.saved is None else self.saved.decode(),
        }
        self._write(JOURNAL, json.dumps(journal).encode())

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
