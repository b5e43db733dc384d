"""Where frames end: files, databases, sinks of the user's own, bytes to be sent.

Rule: a verb checks its arguments and names a sink; each runs the plan into it and returns a report. How a run ends in
a sink is `Exporting`.
"""

from streamframe.exports.columnar import ColumnarExports
from streamframe.exports.elsewhere import OtherExports
from streamframe.exports.text import TextExports

__all__ = ["Exports"]


class Exports(TextExports, ColumnarExports, OtherExports):
    """The part of `StreamFrame` that writes."""

    __slots__ = ()
