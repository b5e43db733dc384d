"""Methods for dates and times: ``col("pickup").dt.hour()`` and so on.

Rule: fields are those of the local time in the column's zone; a column without a zone is taken
as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import PlanError

if TYPE_CHECKING:
    from streamframe.expr.expression import Expr

EpochUnit = Literal["s", "ms", "us", "ns"]
_PERIODS = {
    "ns": "nanosecond", "us": "microsecond", "ms": "millisecond", "s": "second", "min": "minute", "m": "minute",
    "h": "hour", "d": "day", "w": "week", "mo": "month", "q": "quarter", "y": "year",
}  # fmt: skip


@dataclass(frozen=True)
class DatetimeMethods:
    """The date and time methods of an expression."""

    expr: Expr

    def year(self) -> Expr:
        """Return the year."""
        return self._call("year", "year")

    def quarter(self) -> Expr:
        """Return the quarter, 1 to 4."""
        return self._call("quarter", "quarter")

    def month(self) -> Expr:
        """Return the month, 1 to 12."""
        return self._call("month", "month")

    def week(self) -> Expr:
        """Return the ISO week, 1 to 53."""
        return self._call("iso_week", "week")

    def day(self) -> Expr:
        """Return the day of the month, 1 to 31."""
        return self._call("day", "day")

    def day_of_year(self) -> Expr:
        """Return the day of the year, 1 to 366."""
        return self._call("day_of_year", "day_of_year")

    def weekday(self) -> Expr:
        """Return the day of the week, from 0 for Monday to 6 for Sunday."""
        return self._call("day_of_week", "weekday", options=pc.DayOfWeekOptions())

    def hour(self) -> Expr:
        """Return the hour, 0 to 23."""
        return self._call("hour", "hour")

    def minute(self) -> Expr:
        """Return the minute, 0 to 59."""
        return self._call("minute", "minute")

    def second(self) -> Expr:
        """Return the whole second, 0 to 59."""
        return self._call("second", "second")

    def date(self) -> Expr:
        """Return the date, without the time."""
        # A cast alone would read text as dates, where `.dt` on a text is a mistake.
        day = self._call("floor_temporal", "date", options=pc.RoundTemporalOptions(1, "day"))
        return day.call("cast", options=pc.CastOptions(target_type=pa.date32()), text=self._text("date"))

    def floor(self, every: str) -> Expr:
        """Return the start of the period that the time falls into, in local time.

        Parameters
        ----------
        every
            A number and a unit: ns, us, ms, s, min, h, d, w (from Monday), mo, q, y; as ``"15min"``.
        """
        options = pc.RoundTemporalOptions(*_period(every))
        return self._call("floor_temporal", "floor", repr(every), options=options)

    def strftime(self, format: str) -> Expr:
        """Write the time as text; ``%S`` has the decimals of the column's unit, if it has any."""
        return self._call("strftime", "strftime", repr(format), options=pc.StrftimeOptions(format))

    def epoch(self, unit: EpochUnit = "s") -> Expr:
        """Return the whole units of time since 1970-01-01, rounded down; of UTC, if there is a zone."""
        if unit not in get_args(EpochUnit):
            raise PlanError(f"epoch(unit={unit!r}) is not known", hint='use "s", "ms", "us" or "ns".')
        # Rounded down first: a cast to a coarser unit is an error where it would lose something.
        whole = self._call("floor_temporal", "epoch", options=pc.RoundTemporalOptions(1, _PERIODS[unit]))
        counted = whole.call("cast", options=pc.CastOptions(target_type=pa.timestamp(unit)))
        return counted.call(
            "cast", options=pc.CastOptions(target_type=pa.int64()), text=self._text("epoch", repr(unit))
        )

    def tz_localize(self, zone: str) -> Expr:
        """Say which zone the times of a column without one are in.

        A time that the zone skips or repeats (when clocks are set) is an error.
        """
        try:
            pc.assume_timezone(pa.scalar(0, pa.timestamp("s")), zone)
        except (pa.ArrowException, ValueError) as error:
            raise PlanError(f"there is no time zone {zone!r}", hint='write it as in "Europe/Paris".') from error
        return self._call("assume_timezone", "tz_localize", repr(zone), options=pc.AssumeTimezoneOptions(zone))

    def tz_remove(self) -> Expr:
        """Return the local time, without its zone."""
        return self._call("local_timestamp", "tz_remove")

    def _call(self, function: str, method: str, *shown: str, options: pc.FunctionOptions | None = None) -> Expr:
        return self.expr.call(function, options=options, text=self._text(method, *shown))

    def _text(self, method: str, *shown: str) -> str:
        return self.expr.method_text(f"dt.{method}", *shown)


def _period(every: str) -> tuple[int, str]:
    found = re.fullmatch(r"\s*(\d*)\s*([a-z]+)\s*", str(every), re.IGNORECASE)
    unit = found and _PERIODS.get(found[2].lower())
    count = int(found[1] or 1) if found else 0
    if unit is None or count < 1:
        raise PlanError(
            f"{every!r} is not a length of time",
            hint='write a number and a unit, such as "15min", "1h", "1d", "1w", "1mo", "1y".',
        )
    return count, unit
