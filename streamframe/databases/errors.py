"""What a database says when it cannot, as errors of ours.

Rule: a database may quote a password or a parameter; no error shows one, nor does one that it hides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from streamframe.errors import PlanError, SinkError, SourceError, StreamError
from streamframe.io.redact import redact_text, shows_secrets

T = TypeVar("T")

# The SQLSTATE of a table that exists already.
_DUPLICATE_TABLE = "42P07"


def asked(ask: Callable[[], T], label: str, secrets: Sequence[str], failed: type[StreamError], what: str) -> T:
    """Return what a driver answers; raise its error as ours: `PlanError` if a query is refused, else `failed`."""
    try:
        return ask()
    except StreamError as error:
        error.locate(source=label)
        raise
    except Exception as error:  # drivers have no error class in common
        ours = _translated(error, label, secrets, failed, what)
        cause = None if shows_secrets(error, secrets) else error
    # Not within `except`, nor out of a context manager: Python would hang the driver's error on to it.
    raise ours from cause


def table_exists() -> SinkError:
    """Return the error for a table that was to be made anew."""
    return SinkError("the table exists already", hint='pass if_exists="append" or if_exists="replace".')


def secrets_of_params(params: Any) -> tuple[str, ...]:
    """Return the texts in which a parameter may show."""
    values = params.values() if isinstance(params, Mapping) else params or ()
    return tuple(text for value in values if len(text := _text(value)) > 2)


def _translated(
    error: Exception, label: str, secrets: Sequence[str], failed: type[StreamError], what: str
) -> StreamError:
    # SQLAlchemy's own text has the parameters in it; what the driver said is in `orig`.
    said = getattr(error, "orig", None) or error
    text = redact_text(str(said).strip(), secrets)
    if failed is SinkError and _exists(said):
        return table_exists().locate(source=label)
    kind = PlanError if failed is SourceError and _refused(said) else failed
    return kind(f"{what}: {text or type(said).__name__}", source=label)


def _refused(error: BaseException) -> bool:
    """Tell whether a statement is wrong, which SQLite calls an operational error like any other."""
    named = any(kind.__name__ == "ProgrammingError" for kind in type(error).__mro__)
    return named or getattr(error, "sqlite_errorname", None) == "SQLITE_ERROR"


def _exists(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None)
    return state == _DUPLICATE_TABLE if state else "already exists" in str(error)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
