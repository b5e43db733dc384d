"""A directory of this machine that is old or new.

Rules:
* Everything is written into a private sibling, ``.out.<random>.tmp``, and synced there. Then the two
  change places in one step (`exchange`), and the old one is removed. To append, the files that stay
  are hard links in the sibling: so that is one step as well.
* What a reader can see: who lists the directory gets the old set or the new one. Open files stay what they
  are. A list made before that step and opened after it meets new files under the same names, or none.
* Whoever writes holds `flock` on its sibling, which ends with the process however that ends. So a sibling
  that is not locked was left behind, and the next run into the same directory removes it.
* Where two paths cannot change places, there are two renames. A process killed between them leaves no
  directory, its old content as ``.out.<random>.old``, and the next run does the second rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from streamframe.errors import SinkError
from streamframe.io.atomic_directory import (
    MANIFEST,
    AtomicDirectory,
    Mode,
    PartFile,
    check_continued,
    check_replaceable,
    not_empty,
)
from streamframe.io.atomic_file import sink_error, translating
from streamframe.io.atomic_targets import creating, sync
from streamframe.io.exchange import exchange
from streamframe.io.flock import try_lock

_KEPT_LETTERS = 40


class LocalDirectory(AtomicDirectory):
    """A private sibling, which takes the directory's place at the end."""

    def __init__(self, label: str, path: str, mode: Mode, suffix: str) -> None:
        super().__init__(label)
        self._mode = mode
        self._done = False
        self._locks: list[int] = []
        path = os.path.realpath(path)  # a symlink stays, and what it leads to is replaced
        parent, name = os.path.split(path)
        self._path, self._parent = path, parent
        self._start = _start_of(name)
        token = secrets.token_hex(8)
        self._staging = os.path.join(parent, f"{self._start}{token}.tmp")
        self._aside = os.path.join(parent, f"{self._start}{token}.old")
        try:
            self._open(suffix)
        except BaseException:
            self.abort()
            raise

    def _open(self, suffix: str) -> None:
        with creating(self.label, self._parent):
            mend(self._path, self._start)
            self._check(suffix)
            os.mkdir(self._staging)
            self._permissions = stat.S_IMODE(os.stat(self._path if self._present else self._staging).st_mode)
            os.chmod(self._staging, 0o700)
            # A run that starts at this very moment may take it for one left behind, and remove it: then this raises.
            self._lock(self._staging)

    def _check(self, suffix: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(os.stat(self._path).st_mode):
                raise sink_error(self.label, errno.ENOTDIR, "is a file", "remove it, or name another directory.")
        self._present = os.path.isdir(self._path)
        if self._present:
            self._lock(self._path)
        names = frozenset(_files(self._path))
        if not names:
            return
        if self._mode == "error":
            raise not_empty(self.label)
        if self._mode == "overwrite":
            check_replaceable(self.label, names, suffix)
            return
        with contextlib.suppress(FileNotFoundError):
            self.manifest = Path(self._path, MANIFEST).read_bytes()
        check_continued(self.label, self.manifest)
        self.taken = names

    def _lock(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY)
        self._locks.append(fd)
        # Another export may have put a new directory there after this one was opened.
        if try_lock(fd) is False or not os.path.samestat(os.stat(path), os.fstat(fd)):
            raise sink_error(self.label, errno.EBUSY, "is being written by another export", "wait until it is done.")

    def _unlock(self) -> None:
        while self._locks:
            os.close(self._locks.pop())

    def create(self, name: str) -> PartFile:
        path = os.path.join(self._staging, *name.split("/"))
        with translating(self.label, "written", ()):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return _LocalPart(os.path.join(self._path, name), path)

    def commit(self, manifest: bytes) -> None:
        with translating(self.label, "completed", ()):
            if self.manifest is not None:
                # Listed again: what others have added meanwhile stays as well.
                for name in sorted({*_files(self._path)} - {MANIFEST}):
                    self._keep(name)
            with self.create(MANIFEST) as file:
                file.write(manifest)
                file.commit()
            for folder, _, _ in os.walk(self._staging):
                sync(folder)
            os.chmod(self._staging, self._permissions)
            self._take_place()
        self._done = True
        self._unlock()

    def _keep(self, name: str) -> None:
        old, new = os.path.join(self._path, name), os.path.join(self._staging, name)
        os.makedirs(os.path.dirname(new), exist_ok=True)
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
            os.rename(self._staging, self._path)
        elif not os.path.samestat(os.stat(self._path), os.fstat(self._locks[0])):
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
            shutil.rmtree(self._staging, ignore_errors=True)
            self._unlock()


class _LocalPart(PartFile):
    def __init__(self, label: str, path: str) -> None:
        super().__init__(label)
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        # Nobody else may enter the directory yet, so the file has the usual mode from the start.
        self._file = os.fdopen(os.open(path, flags, 0o666), "wb", buffering=0)

    def _write(self, data: memoryview) -> None:
        # A disk may take less than it is given.
        while data:
            data = data[self._file.write(data) :]

    def _commit(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def _abort(self) -> None:
        if hasattr(self, "_file"):
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            with contextlib.suppress(OSError):
                self._file.close()


def _start_of(name: str) -> str:
    """Return how the siblings of a directory begin: short enough for any file system, in whatever script."""
    if len(name) <= _KEPT_LETTERS:
        return f".{name}."
    # Not another directory's, whose name starts alike: what is left of it would be mended into this one.
    return f".{name[:_KEPT_LETTERS]}.{sha256(os.fsencode(name)).hexdigest()[:8]}."


def mend(path: str, start: str) -> None:
    """Finish or remove what killed runs left beside a directory.

    Parameters
    ----------
    path
        The directory.
    start
        How the names of its siblings start.
    """
    ours = re.compile(re.escape(start) + r"([0-9a-f]{16})\.(tmp|old)")
    found = [match for name in sorted(os.listdir(os.path.dirname(path))) if (match := ours.fullmatch(name))]
    # The old ones first: each tells that the new one beside it is whole.
    for match in sorted(found, key=lambda match: match[2]):
        sibling = os.path.join(os.path.dirname(path), match[0])
        with _if_left_behind(sibling) as left:
            if not left:
                continue
            if match[2] == "old" and not os.path.lexists(path):
                whole = sibling.removesuffix("old") + "tmp"
                os.rename(whole if os.path.isdir(whole) else sibling, path)
            shutil.rmtree(sibling, ignore_errors=True)


@contextlib.contextmanager
def _if_left_behind(sibling: str) -> Iterator[bool]:
    """Hold the lock of a directory that no living process holds; else give False."""
    try:
        fd = os.open(sibling, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0))
    except OSError:  # gone meanwhile, or a single file's, which has such a name too
        yield False
        return
    try:
        yield try_lock(fd) is True
    finally:
        os.close(fd)


def _files(path: str) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*names, *links):
            yield os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")
