"""A local file that is written over several runs: what a killed one has written is kept, and checked.

Rules: the target changes in one step, at the end. Until then the bytes lie beside it, with a journal that says
of which source they are, how many are safe on disk, and their digest. A partial file that is locked, or of another
user, is never touched.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from typing import Any

from streamframe.io.atomic_file import sink_error, translating
from streamframe.io.atomic_targets import creating, mode_of, sync
from streamframe.io.flock import try_lock
from streamframe.io.leavings import start_of

# So much is copied again after a kill, at most.
_MARK_BYTES = 64 << 20
_PIECE_BYTES = 1 << 20


class PartialFile:
    """A target under way.

    Parameters
    ----------
    label
        The target's name, for errors.
    path
        Where it is going to be.
    source
        What tells the source from others, and from itself when it has changed.
    keep
        Go on with what a run before has left.

    Attributes
    ----------
    offset : int
        How many bytes there are already.
    """

    def __init__(self, label: str, path: str, source: str, *, keep: bool) -> None:
        self.label = label
        self._path = path
        self._source = source
        directory, name = os.path.split(path)
        self._partial = os.path.join(directory, f"{start_of(name)}streamframe-copy")
        self._journal = f"{self._partial}.json"
        self._new_journal = f"{self._journal}.new"
        self._sha256 = hashlib.sha256()
        self._marked = 0
        self.offset = 0
        with creating(label, directory):
            self._fd = self._opened()
        try:
            with translating(label, "continued", ()):
                if keep:
                    self._go_on()
                os.ftruncate(self._fd, self.offset)
                os.lseek(self._fd, self.offset, os.SEEK_SET)
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def sha256(self) -> str:
        """The digest of all bytes so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def write(self, data: memoryview) -> None:
        """Write all of the bytes."""
        self._sha256.update(data)
        self.offset += len(data)
        with translating(self.label, "written", ()):
            while data:
                data = data[os.write(self._fd, data) :]
            if self.offset - self._marked >= _MARK_BYTES:
                self._mark()

    def commit(self) -> None:
        """Make it the target's new content, in one step."""
        with translating(self.label, "completed", ()):
            if hasattr(os, "fchmod"):
                os.fchmod(self._fd, mode_of(self._path))
            os.fsync(self._fd)
            os.replace(self._partial, self._path)
            os.close(self._fd)
            self._unlink(self._journal, self._new_journal)
            with contextlib.suppress(OSError):
                sync(os.path.dirname(self._path))

    def leave(self) -> None:
        """Stop, and leave what there is to another run."""
        with contextlib.suppress(OSError):
            self._mark()
        os.close(self._fd)

    def discard(self) -> None:
        """Stop, and leave nothing."""
        self._unlink(self._journal, self._new_journal, self._partial)
        os.close(self._fd)

    def _unlink(self, *paths: str) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        fd = os.open(self._partial, flags | getattr(os, "O_BINARY", 0), 0o600)
        found = os.fstat(fd)
        mine = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
        if not stat.S_ISREG(found.st_mode) or not mine or found.st_nlink > 1:
            os.close(fd)
            raise sink_error(self.label, errno.EPERM, f"cannot be created: {self._partial} is not ours", "remove it.")
        if try_lock(fd) is False:
            os.close(fd)
            raise sink_error(self.label, errno.EBUSY, "is being copied by another process", "wait for it, or stop it.")
        return fd

    def _go_on(self) -> None:
        """Keep what is on disk as the journal says, if it is of this source."""
        try:
            with open(self._journal, encoding="utf-8") as file:
                journal: dict[str, Any] = json.load(file)
            wanted = int(journal["bytes"])
            if journal["source"] != self._source or wanted > os.fstat(self._fd).st_size:
                return
            digest = str(journal["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        found = hashlib.sha256()
        left = wanted
        while left and (piece := os.read(self._fd, min(left, _PIECE_BYTES))):
            found.update(piece)
            left -= len(piece)
        if not left and found.hexdigest() == digest:
            self._sha256, self.offset, self._marked = found, wanted, wanted

    def _mark(self) -> None:
        os.fsync(self._fd)
        journal = {"source": self._source, "bytes": self.offset, "sha256": self.sha256}
        # Left by a run that was killed here. Nobody else writes it, as the part is locked; "x" follows no link.
        self._unlink(self._new_journal)
        with open(self._new_journal, "x", encoding="utf-8") as file:
            json.dump(journal, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._new_journal, self._journal)
        self._marked = self.offset
