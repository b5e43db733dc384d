"""One version of one object, of a store whose fsspec filesystem works in coroutines.

Rules: `pin` learns the size and the version, every `fetch` is complete and of that version or raises.
s3:// is asked for the version in each request. Of other stores fsspec asks for bytes only, so there
`confirm` looks at the end whether the object is still the one that was pinned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamframe.errors import SourceChangedError, TransportError, TruncatedError
from streamframe.io.retry import Attempts, Trouble

# What tells versions apart, as stores name it. Not all that they say: the time of the last access changes by reading.
_MARKS = ("size", "ETag", "etag", "generation", "md5Hash", "LastModified", "last_modified", "updated", "mtime")


class StoredObject:
    """An object, of which one version is read. All coroutines run on the filesystem's loop.

    Attributes
    ----------
    size : int or None
        In bytes; None before `pin`.
    retries : int
        How often a broken transfer was taken up again.
    """

    def __init__(self, fs: Any, path: str, label: str) -> None:
        self.size: int | None = None
        self.retries = 0
        self._fs = fs
        self._path = path
        self._label = label
        self._marks: Mapping[str, Any] = {}

    @property
    def version(self) -> str:
        """What the store calls this version; empty before `pin`, and where it has no name."""
        named = [
            f"{name} {self._marks[name]}" for name in ("ETag", "etag", "generation", "md5Hash") if name in self._marks
        ]
        return named[0] if named else ""

    async def pin(self) -> int:
        """Learn size and version, from the store and not from a listing that may be old."""
        info = await self._info()
        self._note(info)
        self._marks = marks(info)
        self.size = int(info["size"])
        return self.size

    async def fetch(self, offset: int, nbytes: int) -> bytes:
        """Return exactly `nbytes` bytes from `offset` on.

        Raises
        ------
        SourceChangedError
            If the object is no longer the one that was pinned, and the store says so.
        TruncatedError
            If fewer bytes came.
        TransportError
            If others came than were asked for.
        """
        data = bytes(await self._fs._cat_file(self._path, start=offset, end=offset + nbytes))
        if len(data) < nbytes:
            raise self._cut(offset + len(data))
        if len(data) > nbytes:
            raise self._wrong_range(offset)
        return data

    async def confirm(self) -> None:
        """Raise `SourceChangedError` if what was fetched may be of another version than the pinned one."""
        if marks(await self._info()) != self._marks:
            raise self._changed()

    async def _info(self) -> Mapping[str, Any]:
        self._fs.invalidate_cache(self._path)
        info: Mapping[str, Any] = await self._fs._info(self._path)
        if info.get("type") == "directory":
            raise IsADirectoryError(self._path)
        return info

    def _note(self, info: Mapping[str, Any]) -> None:
        """Keep what later requests name the version by."""

    def _changed(self, offset: int | None = None) -> SourceChangedError:
        return SourceChangedError(
            f"{self._label} was replaced while it was read",
            source=self._label,
            byte_offset=offset,
            hint="run it again.",
        )

    def _cut(self, offset: int) -> TruncatedError:
        return TruncatedError(
            f"{self._label} was cut off: {self.size:,} bytes were announced",
            source=self._label,
            byte_offset=offset,
            hint="the store or the network stopped early: run it again.",
        )

    def _wrong_range(self, offset: int) -> TransportError:
        return TransportError(
            f"{self._label} answered with another range than was asked for", source=self._label, byte_offset=offset
        )


class S3Object(StoredObject):
    """An object on S3, or on what speaks like it: each request names the version, and may be taken up again."""

    _version: dict[str, str]
    _etag: str | None

    def _note(self, info: Mapping[str, Any]) -> None:
        self._bucket, self._key, version = self._fs.split_path(self._path)
        version = version or (info.get("VersionId") if self._fs.version_aware else None)
        self._etag = info.get("ETag") or None
        self._version = {"VersionId": version} if version else {"IfMatch": self._etag} if self._etag else {}

    async def fetch(self, offset: int, nbytes: int) -> bytes:
        pieces: list[bytes] = []
        attempts = Attempts(self._fs.retries)
        while (got := sum(map(len, pieces))) < nbytes:
            try:
                await self._fetch_into(pieces, offset + got, offset + nbytes, attempts)
            except Trouble as trouble:
                await attempts.wait_after(trouble)
                self.retries += 1
        return b"".join(pieces)

    async def confirm(self) -> None:
        if not self._version:
            await super().confirm()

    async def _fetch_into(self, pieces: list[bytes], offset: int, end: int, attempts: Attempts) -> None:
        answer = await self._asked(offset, end)
        body = answer["Body"]
        try:
            if self._etag and answer.get("ETag") != self._etag:
                raise self._changed(offset)
            if answer.get("ContentRange") != f"bytes {offset}-{end - 1}/{self.size}":
                raise self._wrong_range(offset)
            while offset < end:
                try:
                    piece = await body.read(end - offset)
                except Exception as error:  # of aiohttp or of botocore, by their versions
                    raise Trouble(self._cut(offset), error) from None
                if not piece:
                    raise Trouble(self._cut(offset))
                pieces.append(piece)
                offset += len(piece)
                attempts.progressed()
        finally:
            body.close()

    async def _asked(self, offset: int, end: int) -> Mapping[str, Any]:
        """Send the request; s3fs tries again itself where that may help."""
        try:
            answer: Mapping[str, Any] = await self._fs._call_s3(
                "get_object", Bucket=self._bucket, Key=self._key, Range=f"bytes={offset}-{end - 1}", **self._version
            )
        except OSError as error:
            # 416 too: the range lies inside the size that was pinned.
            if _status(error) in (412, 416):
                raise self._changed(offset) from None
            raise
        return answer


def stored_object(fs: Any, path: str, label: str) -> StoredObject:
    """Return the object at a path, read in the surest way that its filesystem knows."""
    return (S3Object if hasattr(fs, "_call_s3") else StoredObject)(fs, path, label)


def marks(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what of fsspec's `info` tells one version from the next."""
    return {name: info[name] for name in _MARKS if name in info}


def _status(error: BaseException) -> int | None:
    """Return the status that botocore was answered, which s3fs keeps in the cause."""
    response = getattr(error.__cause__, "response", None) or {}
    status: int | None = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status
