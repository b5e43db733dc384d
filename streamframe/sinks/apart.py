"""The targets of one run: none may be another, or lie in it, since the later would take the place of the earlier."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import combinations

from streamframe.errors import PlanError
from streamframe.io.local import LocalLocation
from streamframe.io.locations import paths
from streamframe.plan.sink import Sink
from streamframe.sinks.directory import Directory
from streamframe.sinks.files import File


def require_apart(sinks: Sequence[Sink]) -> None:
    """Raise `PlanError` if a file or directory that is written lies at, or in, another."""
    places = [(place, sink) for sink in sinks if (place := _place(sink)) is not None]
    for (one, first), (other, second) in combinations(places, 2):
        if _within(one, other) or _within(other, one):
            raise PlanError(
                f"{first.describe()} and {second.describe()} write to one place, and one would replace the other",
                hint="give each a path of its own, neither of them inside of the other.",
            )


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer + "/")


def _place(sink: Sink) -> str | None:
    if not isinstance(sink, (File, Directory)):
        return None
    target = sink.target
    if not isinstance(target, (str, os.PathLike)):
        return None
    location = paths(target, sink.storage_options).given[0]
    return os.path.realpath(location.path) if isinstance(location, LocalLocation) else location.label.rstrip("/")
