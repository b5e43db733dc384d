"""How the tests of this folder drain a stream."""

from __future__ import annotations

from typing import Any

from streamframe.io.locations import paths
from streamframe.io.stream import ByteStream


def drain(stream: ByteStream, step: int = 1 << 16) -> bytes:
    out = bytearray()
    with memoryview(bytearray(step)) as target:
        while count := stream.read_into(target):
            out += target[:count]
    return bytes(out)


def read_all(path: Any, storage_options: dict[str, Any] | None = None, **options: Any) -> bytes:
    (location,) = paths(path, storage_options).expand()
    with location.open_stream(**options) as stream:
        return drain(stream)


class Scripted(ByteStream):
    """Given bytes, at most `step` at a time."""

    def __init__(self, data: bytes, step: int = 1 << 20) -> None:
        super().__init__("scripted")
        self._data = data
        self._step = step

    def _fill(self, target: memoryview) -> int:
        piece = self._data[self.offset : self.offset + min(self._step, len(target))]
        target[: len(piece)] = piece
        return len(piece)

    def _release(self) -> None:
        pass
