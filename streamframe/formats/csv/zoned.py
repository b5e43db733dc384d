"""Times with a zone as text, fast.

Rule: the text is what Arrow's own cast makes: the local time, then ``Z`` or the offset (``+0530``). Arrow formats
each value through its time zone library; here the zone is looked up for whole columns, and the text of
a time without a zone is cheap.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.plain_values import plain_scalar, plain_texts, text_scalar

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def zoned_text(times: pa.TimestampArray) -> pa.StringArray:
    """Return times with a zone as text.

    Examples
    --------
    >>> import pyarrow as pa
    >>> zoned_text(pa.array([0], pa.timestamp("s", "Asia/Kolkata"))).to_pylist()
    ['1970-01-01 05:30:00+0530']
    """
    kind = times.type
    utc = times.cast(pa.timestamp(kind.unit))
    if kind.tz == "UTC":
        return pc.binary_join_element_wise(utc.cast(pa.string()), text_scalar("Z"), text_scalar(""))
    local = pc.local_timestamp(times)
    offsets = pc.divide(
        pc.subtract(local, utc).cast(pa.int64()), plain_scalar(_PER_SECOND[kind.unit])
    ).dictionary_encode()
    suffixes = plain_texts([_offset(seconds) for seconds in offsets.dictionary.to_pylist()])
    return pc.binary_join_element_wise(local.cast(pa.string()), suffixes.take(offsets.indices), text_scalar(""))


def _offset(seconds: int) -> str:
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02}{minutes % 60:02}"
