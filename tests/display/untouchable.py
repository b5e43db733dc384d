"""Plans over a source that must never be opened."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from streamframe.plan.context import RunContext
from streamframe.plan.node import Scan
from streamframe.plan.source import OpenSource, Source

FLIGHTS = pa.schema([("carrier", pa.string()), ("dep_delay", pa.float64()), ("distance", pa.int64())])


@dataclass(frozen=True)
class Untouchable(Source):
    """A source that fails the test which opens it: showing a plan does no I/O."""

    call: str
    schema: pa.Schema | None

    @property
    def known_schema(self) -> pa.Schema | None:
        return self.schema

    def open(self, context: RunContext) -> OpenSource:
        raise AssertionError("showing a plan opened its source")

    def describe(self) -> str:
        return self.call


def scan(call: str = "read_csv('flights.csv')", schema: pa.Schema | None = FLIGHTS) -> Scan:
    return Scan(Untouchable(call, schema))
