"""A run as the bytes of a file that exists nowhere.

Rule: nothing is read ahead of who takes the bytes, beyond what a run holds anyway: a batch is pulled when no bytes are
left.
"""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

from streamframe.engines.local import LocalRun
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.io.atomic_file import AtomicFile
from streamframe.options import Options
from streamframe.plan.node import Node
from streamframe.plan.report import Stats


class Encoded:
    """The bytes of a file, piece by piece; made by `StreamFrame.to_bytes`.

    A context manager: `close` stops the run at once. An error in the run is raised where the next piece is asked for;
    what was taken until then is no whole file.
    """

    def __init__(self, plan: Node, options: Options, encoding: FileEncoding) -> None:
        self._plan = plan
        self._options = options
        self._encoding = encoding
        self._pieces = _Pieces("to_bytes")
        self._run: LocalRun | None = None
        self._encoder: Encoder | None = None
        self._ended = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            while not self._pieces.waiting and not self._ended:
                self._advance()
        except BaseException:
            self.close()
            raise
        if not self._pieces.waiting:
            raise StopIteration
        return self._pieces.waiting.popleft()

    def stats(self) -> Stats | None:
        """Return what the run has done so far; None before it began."""
        return None if self._run is None else self._run.stats()

    def close(self) -> None:
        """Stop the run; when this returns, its threads, files and connections are gone."""
        self._ended = True
        encoder, self._encoder = self._encoder, None
        try:
            if encoder is not None:
                encoder.abort()
        finally:
            # Only now: an encoder that is given up may write an end to what nobody reads.
            self._pieces.waiting.clear()
            if self._run is not None:
                self._run.close()

    def _advance(self) -> None:
        if self._run is None:
            self._run = LocalRun(self._plan, self._options)
        if self._encoder is None:
            self._encoder = self._encoding.start(self._pieces, self._run.schema, self._run)
            return
        batch = next(self._run, None)
        if batch is not None:
            self._encoder.write(batch.data)
            return
        self._encoder.finish()
        self._ended, self._encoder = True, None
        self._run.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        run = getattr(self, "_run", None)
        if run is not None:
            run.abandon()

    def __repr__(self) -> str:
        stats = self.stats()
        if stats is None:
            return f"<bytes of {self._encoding.name}: not started>"
        return f"<bytes of {self._encoding.name}: of {stats.rows:,} rows{', ended' if self._ended else ''}>"


class _Pieces(AtomicFile):
    """Keeps what is written until it is taken; encoders may write from a thread of theirs."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.waiting: deque[bytes] = deque()

    def _write(self, data: memoryview) -> None:
        if data:
            self.waiting.append(bytes(data))

    def _commit(self) -> None:
        pass

    def _abort(self) -> None:
        pass
