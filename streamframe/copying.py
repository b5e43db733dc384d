"""Copy bytes as they are, from anywhere to anywhere that fsspec reaches."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from streamframe.display.progress import ProgressLine
from streamframe.errors import PlanError, SourceChangedError
from streamframe.io.atomic import AtomicFile, open_atomic
from streamframe.io.descriptors import is_direct
from streamframe.io.local import LocalLocation
from streamframe.io.location import Location
from streamframe.io.locations import paths
from streamframe.io.partial_file import PartialFile
from streamframe.options import current_options
from streamframe.plan.arguments import is_sha256
from streamframe.plan.report import CopyReport

_PIECE_BYTES = 1 << 20
# A request for each; only where a copy goes on.
_RANGE_BYTES = 8 << 20


def copy(
    src: Any,
    dst: Any,
    *,
    resume: bool = True,
    expect_sha256: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    target_options: Mapping[str, Any] | None = None,
) -> CopyReport:
    """Copy any bytes: a file, an object of a store, a page.

    The target changes in one step, when all bytes are there. To a local file, a copy that was killed goes on
    where it was: what lies on disk is read and held against its digest first. It begins anew if the source
    has changed; so does any copy to a store, which has no way to keep a part. A server's drops and stalls
    are survived as in `read_csv`.

    Parameters
    ----------
    src
        A path, a URI of any fsspec scheme, or an open binary file.
    dst
        A path or a URI of any fsspec scheme but http(s). A directory gets a file of the source's name.
    resume
        Keep what there is when the copy is stopped, and go on with it the next time. False leaves nothing behind.
    expect_sha256
        What the bytes must add up to, in hexadecimal.
    storage_options, target_options
        What fsspec takes for the schemes of source and target.

    Returns
    -------
    CopyReport
        Bytes, their SHA-256, seconds, retries.

    Raises
    ------
    SourceError
        If the source cannot be read, or is not complete.
    SourceChangedError
        If the bytes are not those that were expected; the target is then as it was.
    SinkError
        If the target cannot be written, or another process is writing it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import streamframe as sf
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = pathlib.Path(folder, "a.txt").write_bytes(b"abc")
    ...     sf.copy(f"{folder}/a.txt", f"{folder}/b.txt").sha256[:8]
    'ba7816bf'
    """
    sources = paths(src, storage_options).given
    if len(sources) != 1:
        raise PlanError(f"copy takes one source, got {len(sources)}", hint="call it for each of them.")
    (source,) = sources
    if expect_sha256 is not None and not is_sha256(expect_sha256):
        raise PlanError(f"expect_sha256 needs 64 hexadecimal digits, got {expect_sha256!r}")
    started = time.perf_counter()
    with ProgressLine(f"copy({source.label!r})", current_options().progress) as line:

        def told(nbytes: int, total: int | None) -> None:
            if line.due():
                line.update_bytes(nbytes, total, time.perf_counter() - started)

        target = _opened(source, dst, target_options, resume=resume)
        kept = target.offset
        try:
            end = _rest(source, target, told) if kept else _all(source, target, told)
            _require_sum(source, target, expect_sha256)
            target.commit()
        except SourceChangedError:
            target.discard()
            raise
        except BaseException:
            (target.leave if resume and target.offset else target.discard)()
            raise
    return CopyReport(
        source=source.label,
        target=target.label,
        nbytes=target.offset,
        kept_bytes=kept,
        sha256=target.sha256,
        seconds=time.perf_counter() - started,
        **end,
    )


def _require_sum(source: Location, target: _Target, expected: str | None) -> None:
    if expected is not None and target.sha256 != expected.lower():
        raise SourceChangedError(
            f"{source.label} adds up to sha256 {target.sha256}, not to {expected.lower()}",
            source=source.label,
            hint="the file is another one, or was changed on its way.",
        )


def _all(source: Location, target: _Target, told: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Copy the source from its start."""
    buffer = memoryview(bytearray(_PIECE_BYTES))
    with source.open_stream(compression=None) as stream:
        while count := stream.read_into(buffer):
            target.write(buffer[:count])
            told(target.offset, stream.size)
        return {"retries": stream.retries, "completeness": stream.completeness}


def _rest(source: Location, target: _Target, told: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Copy what is left of the source."""
    with source.open_ranged() as file:
        while left := file.size - target.offset:
            target.write(memoryview(file.read_range(target.offset, min(left, _RANGE_BYTES))))
            told(target.offset, file.size)
        return {"retries": file.retries, "completeness": "verified"}


class _Target(Protocol):
    """Bytes that become a target: counted, digested, and kept or not when they are not all there."""

    label: str
    offset: int

    @property
    def sha256(self) -> str: ...

    def write(self, data: memoryview) -> None: ...

    def commit(self) -> None: ...

    def leave(self) -> None: ...

    def discard(self) -> None: ...


class _Anew(_Target):
    """A target that keeps no part of a copy."""

    def __init__(self, file: AtomicFile) -> None:
        self.label = file.label
        self.offset = 0
        self._file = file
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: memoryview) -> None:
        self._digest.update(data)
        self.offset += self._file.write(data)

    def commit(self) -> None:
        self._file.commit()

    def leave(self) -> None:
        self._file.abort()

    def discard(self) -> None:
        self._file.abort()


def _opened(source: Location, dst: Any, options: Mapping[str, Any] | None, *, resume: bool) -> _Target:
    if isinstance(dst, (str, os.PathLike)):
        given = str(dst) if isinstance(dst, str) else os.fspath(dst)
        target = paths(dst, options).given[0]
        local = isinstance(target, LocalLocation)
        if str(given).endswith("/") or (isinstance(target, LocalLocation) and os.path.isdir(target.path)):
            dst = f"{str(given).rstrip('/')}/{source.name}"
            target = paths(dst, options).given[0]
            if not source.name or (isinstance(target, LocalLocation) and os.path.isdir(target.path)):
                raise PlanError(
                    f"{given} is a directory, and {source.label} has no name that a file in it could get",
                    hint="name the file.",
                )
        if local and isinstance(target, LocalLocation) and not is_direct(target.path):
            path = os.path.realpath(target.path)
            return PartialFile(target.label, path, f"{source.label}: {source.identity()}", keep=resume)
    return _Anew(open_atomic(dst, storage_options=options))
