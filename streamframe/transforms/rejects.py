"""What cannot be read in the sources of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from streamframe.plan.node import Transform
from streamframe.plan.source import REJECTS


@dataclass(frozen=True, eq=False)
class Rejects(Transform):
    """The records that its input leaves out, since they cannot be read; the engine collects them."""

    only_rejects: ClassVar[bool] = True

    @property
    def traceable(self) -> bool:
        return True

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        return REJECTS

    def describe(self) -> str:
        return "rejects()"
