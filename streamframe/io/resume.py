"""Going on with a body on a new connection: from the same version, at the same byte, or not at all.

Rules, of offsets as they are on the wire, beneath any decompression:
- A range is asked for only under a condition that names the version: a strong ETag, or a
  Last-Modified that was old when it was sent. Without one the whole body is asked for again.
- A 206 is believed if it names our offset, our size and our version. One that names another
  size or version is a changed source; one that leaves the version out is not used.
- A body that starts again at 0 has its first bytes held against the fingerprint of those we handed on.

Pure: no connection is touched here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from streamframe.io.http_errors import source_changed, wrong_range
from streamframe.io.retry import http_date

# A file may be written twice in one second, and its clock is not the one that sends Date (RFC 9110, 8.8.2.2).
_SAFE_AGE = timedelta(seconds=60)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Version:
    """What an answer says about the file behind it."""

    total: int | None
    etag: str | None
    modified: str | None
    modified_is_safe: bool
    coding: str

    @classmethod
    def of(cls, headers: Mapping[str, str], *, total: int | None) -> Self:
        modified = headers.get("Last-Modified")
        changed, sent = http_date(modified or ""), http_date(headers.get("Date", ""))
        return cls(
            total=total,
            etag=headers.get("ETag"),
            modified=modified,
            modified_is_safe=changed is not None and sent is not None and sent - changed >= _SAFE_AGE,
            coding=headers.get("Content-Encoding", ""),
        )

    @property
    def validator(self) -> str | None:
        """What may stand in If-Range: it changes whenever a single byte does."""
        if self.etag is not None:
            return None if self.etag.startswith("W/") else self.etag
        return self.modified if self.modified_is_safe else None

    def is_same_file(self, other: Version) -> bool | None:
        """Whether both may be one version; None if the two name nothing that can be compared."""
        if self.total is not None and other.total is not None and self.total != other.total:
            return False
        if self.etag and other.etag:
            return self.etag.removeprefix("W/") == other.etag.removeprefix("W/")
        if self.modified and other.modified:
            return self.modified == other.modified
        return None


@dataclass(frozen=True)
class Continuation:
    """What a new answer turned out to be.

    Attributes
    ----------
    start : int
        The absolute offset of the first byte of its body.
    end : int or None
        Where its body ends, if it says so.
    version : Version
        What is known about the file now.
    """

    start: int
    end: int | None
    version: Version


class Unconfirmed(Exception):  # noqa: N818 - a signal, never seen by users
    """The answer does not say that it is from our version: ask for all of it and compare."""


def condition(version: Version, offset: int) -> dict[str, str]:
    """Return the headers that ask for the rest of a version; none if the rest cannot be asked for."""
    if not offset or version.validator is None:
        return {}
    return {"Range": f"bytes={offset}-", "If-Range": version.validator}


def continuation(
    status: int, headers: Mapping[str, str], length: int | None, *, version: Version, offset: int, label: str
) -> Continuation:
    """Understand the answer to a request for the bytes from `offset` on.

    Parameters
    ----------
    status, headers
        Of the answer: 200, 206, 412 or 416.
    length
        How long its body is, if it says so.
    version, offset
        What was read before, and how far.
    label
        The source, for errors.

    Raises
    ------
    SourceChangedError
        If it is of another version.
    TransportError
        If it contradicts itself, or is not what was asked for.
    Unconfirmed
        If only the whole body can tell.
    """
    if status == 200:
        found = Version.of(headers, total=length)
        if not offset:
            # Nothing was handed on, so any version will do, if it is wrapped as we have seen it.
            if found.coding != version.coding:
                raise source_changed(label, "its coding is another", 0)
        elif version.is_same_file(found) is False or (length is not None and length < offset):
            raise source_changed(label, "its size, ETag or date is another", offset)
        return Continuation(0, length, found if not offset else _completed(version, length))
    if status == 412:
        raise source_changed(label, "the server says 412", offset)
    told = headers.get("Content-Range", "").strip()
    range_ = _CONTENT_RANGE.fullmatch(told)
    if status == 416 and not (range_ and range_[3] != "*"):
        raise Unconfirmed
    if range_ is None or (status == 206) != (range_[1] is not None):
        raise wrong_range(label, status, f"bytes={offset}-", told, offset)
    total = None if range_[3] == "*" else int(range_[3])
    found = Version.of(headers, total=total)
    if version.is_same_file(found) is False:
        raise source_changed(label, "its size, ETag or date is another", offset)
    if status == 416:
        assert total is not None
        if total < offset:
            raise source_changed(label, f"it has {total:,} bytes now", offset)
        if total > offset:
            raise wrong_range(label, status, f"bytes={offset}-", told, offset)
        # All bytes had come, and only the word that they were all was lost.
        return Continuation(offset, offset, _completed(version, total))
    start, end = int(range_[1]), int(range_[2]) + 1
    known = total if total is not None else version.total
    if start != offset or end <= start or (known is not None and end > known) or length not in (None, end - start):
        raise wrong_range(label, status, f"bytes={offset}-", told, offset)
    if known is None or found.coding != version.coding or not _names(found, version):
        raise Unconfirmed
    return Continuation(start, end, _completed(version, total))


def require_same_version(version: Version, found: Version, label: str, offset: int) -> None:
    """Raise `SourceChangedError` unless two answers name one version: where the bytes themselves cannot tell."""
    if version.is_same_file(found) is not True:
        raise source_changed(label, "its ETag and date are missing now", offset)


class Received:
    """What has been handed on: how many bytes, and what they were, so that they can be told when they come again.

    Attributes
    ----------
    offset : int
        The absolute offset of the next byte to hand on.
    has_skipped : bool
        Some bytes before it were passed over.
    """

    def __init__(self, label: str, *, with_sha256: bool = False) -> None:
        self.offset = 0
        self._label = label
        self._fingerprint = _Fingerprint()
        self._again = _Fingerprint()
        self._left = 0
        self._sha256 = hashlib.sha256() if with_sha256 else None
        self.has_skipped = False

    def skip_to(self, offset: int) -> None:
        """Take the bytes before an offset for handed on; what they are is not known then."""
        self.offset = offset
        self.has_skipped = True

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of all that was handed on, if it was asked for."""
        return self._sha256.hexdigest() if self._sha256 is not None else None

    def goes_on_at(self, start: int) -> None:
        """Expect the next bytes from `start`: 0, which means all of them once more, or `offset`."""
        self._again = _Fingerprint()
        self._left = self.offset - start

    def fresh(self, piece: bytes) -> memoryview:
        """Return what of the next bytes is new; to be handed on and then to be added.

        Raises
        ------
        SourceChangedError
            If the bytes that came before do not come again.
        """
        data = memoryview(piece)
        if self._left:
            known, data = data[: self._left], data[self._left :]
            self._again.add(known)
            self._left -= len(known)
            if not self._left and self._again.value != self._fingerprint.value and not self.has_skipped:
                raise source_changed(self._label, "its first bytes are others than those that were read", self.offset)
        return data

    def add(self, data: memoryview) -> None:
        """Note what was handed on."""
        self._fingerprint.add(data)
        if self._sha256 is not None:
            self._sha256.update(data)
        self.offset += len(data)


class _Fingerprint:
    """CRC-32 of some bytes: equal by chance once in four billion times.

    Not SHA-256: it more than halves the throughput of every stream (1.1 GB/s where this has 2.4 on
    loopback), for a check that few streams need. It would not keep out a server that means harm
    either: that one can send what it likes in the first place. What must be proof has `expect_sha256`.
    """

    def __init__(self) -> None:
        try:
            from isal.isal_zlib import crc32
        except ImportError:
            from zlib import crc32
        self._crc32 = crc32
        self.value = 0

    def add(self, data: memoryview) -> None:
        self.value = self._crc32(data, self.value)


def _names(found: Version, version: Version) -> bool:
    """Whether a 206 repeats the validator that the condition was made of."""
    return found.etag == version.etag if version.etag is not None else found.modified == version.modified


def _completed(version: Version, total: int | None) -> Version:
    return version if version.total is not None else replace(version, total=total)
