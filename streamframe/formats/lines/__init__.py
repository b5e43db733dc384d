"""Plain lines of text."""

from streamframe.formats.lines.format import LinesFormat

__all__ = ["LinesFormat"]
