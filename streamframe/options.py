"""The settings of a run: one memory number, workers, progress.

Rule: `options` is the one piece of state the module keeps. A run reads it once, when it
starts, so that changing an option never changes a run under way.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Self, get_args

from streamframe.errors import PlanError

Progress = Literal["auto", "on", "off"]

_UNITS = {
    "": 1, "B": 1,
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
# Below this a single CSV block and its decoded batch would not fit.
MIN_MEMORY_BYTES = 1_000_000


@dataclass(frozen=True)
class Options:
    """The settings that a run starts with."""

    memory_bytes: int = 256_000_000
    workers: int | None = None
    progress: Progress = "auto"

    @property
    def worker_count(self) -> int:
        """Threads that decode: `workers`, or the cores this process may use."""
        return self.workers or available_cores()

    def changed(
        self,
        *,
        memory: str | int | None = None,
        workers: int | None = None,
        progress: str | bool | None = None,
    ) -> Options:
        """Return these options with the given ones replaced; raise `PlanError` on nonsense."""
        changed = self
        if memory is not None:
            nbytes = parse_bytes(memory, name="memory")
            if nbytes < MIN_MEMORY_BYTES:
                raise PlanError(
                    f"memory={memory!r} is too small to hold one block",
                    hint=f'memory is in bytes and needs at least {MIN_MEMORY_BYTES:,}, such as memory="64MB".',
                )
            changed = replace(changed, memory_bytes=nbytes)
        if workers is not None:
            if isinstance(workers, bool) or not hasattr(workers, "__index__") or workers < 1:
                raise PlanError(f"workers needs a whole number >= 1, got {workers!r}")
            changed = replace(changed, workers=workers)
        if progress is not None:
            changed = replace(changed, progress=_parse_progress(progress))
        return changed


_current: ContextVar[Options | None] = ContextVar("streamframe_options", default=None)
_defaults: list[Options] = [Options()]


def current_options() -> Options:
    """Return the options in force here."""
    return _current.get() or _defaults[0]


def set_options(
    *,
    memory: str | int | None = None,
    workers: int | None = None,
    progress: str | bool | None = None,
) -> None:
    """Set the options for all runs that start from now on, in every thread.

    Parameters
    ----------
    memory
        The bytes a run may hold: a number, or text such as ``"256MB"`` (10**6) or ``"256MiB"``
        (2**20). Default 256 MB: small beside a notebook's kernel, large enough to keep every
        core busy.
    workers
        Threads that decode. Default: one for each core this process may use.
    progress
        ``"auto"`` shows a line where a person watches (a terminal, a notebook), ``"on"`` always, ``"off"`` never.

    Raises
    ------
    PlanError
        If a value makes no sense.

    Examples
    --------
    >>> import streamframe as sf
    >>> sf.set_options(memory="256MB")
    """
    _defaults[0] = _defaults[0].changed(memory=memory, workers=workers, progress=progress)


class options:  # noqa: N801 - read as a word: `with sf.options(memory="64MB"):`
    """Set options inside a `with` block only; the arguments are those of `set_options`.

    Examples
    --------
    >>> import streamframe as sf
    >>> with sf.options(memory="64MB"):
    ...     pass
    """

    def __init__(
        self,
        *,
        memory: str | int | None = None,
        workers: int | None = None,
        progress: str | bool | None = None,
    ) -> None:
        # Checked at the call, so that the error points at the line with the typo.
        current_options().changed(memory=memory, workers=workers, progress=progress)
        self._memory = memory
        self._workers = workers
        self._progress = progress
        self._tokens: list[Token[Options | None]] = []

    def __repr__(self) -> str:
        given = {"memory": self._memory, "workers": self._workers, "progress": self._progress}
        return f"options({', '.join(f'{name}={value!r}' for name, value in given.items() if value is not None)})"

    def __enter__(self) -> Self:
        changed = current_options().changed(memory=self._memory, workers=self._workers, progress=self._progress)
        self._tokens.append(_current.set(changed))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._tokens.pop())


def parse_bytes(value: str | int, *, name: str) -> int:
    """Return a number of bytes from ``64_000_000``, ``"64MB"`` or ``"1.5 GiB"``.

    Raises
    ------
    PlanError
        If `value` is not a size.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        nbytes = value
    else:
        found = re.fullmatch(r"\s*(\d+(?:[._]\d+)*)\s*([KMGT]?I?B?)\s*", str(value), re.IGNORECASE)
        unit = found and _UNITS.get(_spelled_out(found[2].upper()))
        if not found or unit is None or isinstance(value, bool):
            raise PlanError(f"{name}={value!r} is not a size in bytes", hint=f'write {name}="256MB", or a number.')
        nbytes = int(float(found[1].replace("_", "")) * unit)
    if nbytes <= 0:
        raise PlanError(f"{name} needs more than 0 bytes, got {value!r}")
    return nbytes


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _spelled_out(unit: str) -> str:
    return unit + "B" if unit in ("K", "M", "G", "T") else unit


def _parse_progress(value: str | bool) -> Progress:
    if isinstance(value, bool):
        return "on" if value else "off"
    for known in get_args(Progress):
        if value == known:
            return value  # type: ignore[return-value]
    raise PlanError(f"progress={value!r} is not known", hint='use "auto", "on" or "off".')
