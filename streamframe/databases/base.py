"""What a driver of a database promises.

Rules: a connection that the user gave is never closed, committed or rolled back beyond what we
began ourselves. What a driver opens belongs to the object it returns, whose `close` ends it.
A driver raises its library's own errors; `Session` translates them, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import pyarrow as pa

from streamframe.errors import PlanError

IfExists = Literal["error", "append", "replace"]
# A sequence of Python's values, or an Arrow array where the driver makes one.
Values: TypeAlias = Any


@dataclass(frozen=True)
class Piece:
    """Some rows as the driver gave them, column by column."""

    columns: Sequence[Values]
    num_rows: int
    nbytes: int


@dataclass(frozen=True)
class Column:
    """A column of a result, and its type where the driver knows it; text may stand for a decimal."""

    name: str
    type: pa.DataType | None = None
    decimal_text: bool = False


class Result(ABC):
    """The rows of a query under way."""

    @property
    @abstractmethod
    def columns(self) -> list[Column]:
        """The columns; known once the query runs."""

    @abstractmethod
    def fetch(self, nbytes: int) -> Piece | None:
        """Return the next rows, of about so many bytes; None at the end."""

    def cancel(self) -> None:
        """Free a `fetch` that waits in another thread."""
        return

    @abstractmethod
    def close(self) -> None:
        """Let go of the cursor, and of the connection if we opened it."""


@dataclass(frozen=True)
class TableName:
    """A table, and the schema of the database that it is in."""

    name: str
    schema: str | None = None

    @property
    def quoted(self) -> str:
        """The name as SQL has it."""
        return ".".join(map(quoted, [self.schema, self.name] if self.schema else [self.name]))


class Loading(ABC):
    """A table that is filled in one transaction, which the object begins when it is made."""

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Insert the rows of a batch."""

    @abstractmethod
    def commit(self) -> None:
        """Make all of it the table's."""

    @abstractmethod
    def rollback(self) -> None:
        """Make the database what it was."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what we opened; follows `commit` or `rollback`."""


class Driver(ABC):
    """How one kind of connection is read from and written to."""

    @abstractmethod
    def query(self, query: Any, params: Any, nbytes: int) -> Result:
        """Run a query whose rows come in pieces of about so many bytes."""

    @abstractmethod
    def load(self, table: TableName, schema: pa.Schema, if_exists: IfExists) -> Loading:
        """Begin a transaction, and in it make the table, or make it anew, or take it as it is."""


def checked_table(name: Any, schema: Any, if_exists: Any) -> TableName:
    """Return the table that a user names, or raise `PlanError`."""
    if not isinstance(name, str) or not name or not isinstance(schema, str | None):
        raise PlanError(f"to_sql needs the name of a table as text, got {name!r} in the schema {schema!r}")
    if if_exists not in get_args(IfExists):
        raise PlanError(
            f"if_exists needs one of {', '.join(get_args(IfExists))}, got {if_exists!r}",
            hint='"fail" is taken for "error".',
        )
    return TableName(name, schema)


def quoted(name: str) -> str:
    """Return an identifier as standard SQL quotes it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def create_table(table: TableName, types: dict[str, str], if_exists: IfExists) -> list[str]:
    """Return the statements that make a table of these columns, or find it there."""
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())
    unless = "IF NOT EXISTS " if if_exists == "append" else ""
    create = f"CREATE TABLE {unless}{table.quoted} ({columns})"
    return [f"DROP TABLE IF EXISTS {table.quoted}", create] if if_exists == "replace" else [create]
