"""A directory of this machine that is old or new.

Rules:
* Everything is written into a private sibling, ``.out.<random>.tmp``, and synced there. Then the two
  change places in one step (`exchange`), and the old one is removed. To append, the files that stay
  are hard links in the sibling: so that is one step as well.
* What a reader can see: who lists the directory gets the old set or the new one. Open files stay what they
  are. A list made before that step and opened after it meets new files under the same names, or none.
* What a run saves is a manifest in its sibling; one that is to go on there takes the sibling over. The manifest names
  the run as the sibling does: so the old directory, which stands there when a run was killed right after it had changed
  places, is not taken for what was saved.
* Whoever writes holds `flock` on its sibling, which ends with the process however that ends. So a sibling
  that is not locked was left behind, and the next run into the same directory removes it.
* Where two paths cannot change places, there are two renames. A process killed between them leaves no
  directory, its old content as ``.out.<random>.old``, and the next run does the second rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from streamframe.errors import SinkError
from streamframe.io.atomic_directory import (
    MANIFEST,
    AtomicDirectory,
    Continues,
    Mode,
    PartFile,
    check_mode,
    check_replaceable,
)
from streamframe.io.atomic_file import sink_error, translating
from streamframe.io.atomic_targets import creating, mode_of, sync
from streamframe.io.exchange import exchange
from streamframe.io.flock import try_lock, unlock
from streamframe.io.leavings import mend, start_of
from streamframe.io.write_behind import WriteBehind


class LocalDirectory(AtomicDirectory):
    """A private sibling, which takes the directory's place at the end."""

    def __init__(self, label: str, path: str, mode: Mode, suffix: str, continues: Continues | None = None) -> None:
        super().__init__(label)
        self._mode = mode
        self._continues = continues
        self._done = False
        self._lock_of_target: int | None = None
        self._locks: list[int] = []
        # Folders with completed files that the disk may not know of yet.
        self._unsynced: set[str] = set()
        self._left_out: frozenset[str] = frozenset()
        path = os.path.realpath(path)  # a symlink stays, and what it leads to is replaced
        parent, name = os.path.split(path)
        self._path, self._parent = path, parent
        self._start = start_of(name)
        self._name_siblings()
        try:
            self._open(suffix)
        except BaseException:
            self.abort()
            raise

    def _open(self, suffix: str) -> None:
        with creating(self.label, self._parent):
            left = mend(self._path, self._start, take_over=self._continues is not None)
            if left is not None:
                self.run, self.saved = left.run, left.manifest
                self._locks.append(left.lock)
                self._name_siblings()
            self._check(suffix)
            self._permissions = mode_of(self._path, 0o777)
            if left is not None:
                return
            os.mkdir(self._staging, 0o700)
            # A run that starts at this very moment may take it for one left behind, and remove it: then this raises.
            self._lock(self._staging)

    def _name_siblings(self) -> None:
        self._staging = os.path.join(self._parent, f"{self._start}{self.run}.tmp")
        self._aside = os.path.join(self._parent, f"{self._start}{self.run}.old")

    def _check(self, suffix: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(os.stat(self._path).st_mode):
                raise sink_error(self.label, errno.ENOTDIR, "is a file", "remove it, or name another directory.")
        self._present = os.path.isdir(self._path)
        if self._present:
            self._require_elsewhere()
            self._lock_of_target = self._lock(self._path)
        names = frozenset(_files(self._path))
        if not names:
            return
        manifest = None
        with contextlib.suppress(FileNotFoundError):
            manifest = Path(self._path, MANIFEST).read_bytes()
        if self._mode == "overwrite":
            check_replaceable(self.label, names, suffix, manifest)
            return
        check_mode(self.label, self._mode, manifest, self._continues)
        self.manifest, self.taken = manifest, names

    def _require_elsewhere(self) -> None:
        """Raise `SinkError` if this process is in the directory: it would be left in the old one, which is removed."""
        with contextlib.suppress(FileNotFoundError, ValueError):  # no place any more, or on another drive
            here = os.path.realpath(os.getcwd())
            if os.path.commonpath([here, self._path]) == self._path:
                what = "is where this process is, and a new directory would take its place"
                raise sink_error(self.label, errno.EBUSY, what, "name a directory in it, or os.chdir() elsewhere.")

    def _lock(self, path: str) -> int:
        fd = os.open(path, os.O_RDONLY)
        self._locks.append(fd)
        # Another export may have put a new directory there after this one was opened.
        if try_lock(fd) is False or not _is_open(path, fd):
            raise sink_error(self.label, errno.EBUSY, "is being written by another export", "wait until it is done.")
        return fd

    def _unlock(self) -> None:
        while self._locks:
            unlock(self._locks.pop())

    def create(self, name: str) -> PartFile:
        path = os.path.join(self._staging, *name.split("/"))
        with translating(self.label, "written", ()):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._unsynced.add(os.path.dirname(path))
            return _LocalPart(os.path.join(self._path, name), path)

    def keep(self, files: Mapping[str, int]) -> bool:
        for name in _files(self._staging):
            if name not in files and name != MANIFEST:
                os.unlink(os.path.join(self._staging, name))
        self.taken |= files.keys()
        return all(_size(os.path.join(self._staging, name)) == nbytes for name, nbytes in files.items())

    def read(self, name: str) -> bytes:
        with translating(self.label, "opened", ()):
            try:
                return Path(self._staging, name).read_bytes()
            except FileNotFoundError:
                return Path(self._path, name).read_bytes()

    def leave_out(self, names: Collection[str]) -> None:
        self._left_out = frozenset(names)

    def save(self, manifest: bytes) -> None:
        with translating(self.label, "saved", ()):
            # The files have been synced one by one; their names come before the manifest that tells of them.
            self._sync_folders()
            self._write_manifest(manifest)
            sync(self._staging)
        self.saved = manifest

    def _sync_folders(self) -> None:
        """Have the disk know the names of all completed files, and those of the folders on the way to them."""
        folders = self._unsynced
        while folders:
            for folder in folders:
                sync(folder)
            folders = {os.path.dirname(folder) for folder in folders if folder != self._staging} - {self._staging}
        self._unsynced.clear()

    def _write_manifest(self, manifest: bytes) -> None:
        new = f"{MANIFEST}.new"
        with self.create(new) as file:
            file.write(manifest)
            file.commit()
        os.replace(os.path.join(self._staging, new), os.path.join(self._staging, MANIFEST))

    def commit(self, manifest: bytes) -> None:
        with translating(self.label, "completed", ()):
            if self.manifest is not None:
                # Listed again: what others have added meanwhile stays as well.
                for name in sorted({*_files(self._path)} - {MANIFEST} - self._left_out):
                    self._keep(name)
            self._write_manifest(manifest)
            self._sync_folders()
            sync(self._staging)
            os.chmod(self._staging, self._permissions)
            self._take_place()
        self._done = True
        self._unlock()

    def _keep(self, name: str) -> None:
        old, new = os.path.join(self._path, name), os.path.join(self._staging, name)
        os.makedirs(os.path.dirname(new), exist_ok=True)
        self._unsynced.add(os.path.dirname(new))
        try:
            os.link(old, new, follow_symlinks=False)
        except FileExistsError as error:
            message = f"{self.label} has got a file {name!r} from somebody else meanwhile"
            raise SinkError(message, source=self.label, hint="run it again.") from error
        except OSError:  # a file system without links, or a file of somebody else
            shutil.copy2(old, new, follow_symlinks=False)
            if not os.path.islink(new):
                sync(new)

    def _take_place(self) -> None:
        if not self._present:
            try:
                os.rename(self._staging, self._path)
            except OSError as error:
                if not os.path.lexists(self._path):
                    raise
                message = f"{self.label} was made by somebody else meanwhile"
                raise SinkError(message, source=self.label, hint="run it again, one export at a time.") from error
        elif self._lock_of_target is None or not _is_open(self._path, self._lock_of_target):
            raise SinkError(f"{self.label} was replaced by somebody else meanwhile", source=self.label)
        elif exchange(self._staging, self._path):
            shutil.rmtree(self._staging, ignore_errors=True)
        else:
            os.rename(self._path, self._aside)
            os.rename(self._staging, self._path)
            shutil.rmtree(self._aside, ignore_errors=True)
        # The new content is in place; a file system that cannot sync a directory is no reason to fail.
        with contextlib.suppress(OSError):
            sync(self._parent)

    def abort(self) -> None:
        if not self._done:
            self._done = True
            # Stopped between two renames.
            if os.path.isdir(self._aside) and not os.path.lexists(self._path):
                os.rename(self._aside, self._path)
            if self.saved is None:
                shutil.rmtree(self._staging, ignore_errors=True)
            self._unlock()


class _LocalPart(PartFile):
    def __init__(self, label: str, path: str) -> None:
        super().__init__(label)
        self._path = path
        self._behind = WriteBehind()
        # Nobody else may enter the directory yet, so the file has the usual mode from the start. By one call: between
        # os.open and os.fdopen a Ctrl-C finds a number that nobody would close.
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - `commit` and `abort` close it

    def _write(self, data: memoryview) -> None:
        # A disk may take less than it is given.
        while data:
            data = data[self._file.write(data) :]
        self._behind.wrote(self._file.fileno(), self._written)

    def _commit(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def _abort(self) -> None:
        if hasattr(self, "_file"):
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            with contextlib.suppress(OSError):
                self._file.close()


def _files(path: str) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*names, *links):
            yield os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")


def _is_open(path: str, fd: int) -> bool:
    return os.path.samestat(os.stat(path), os.fstat(fd))


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None
