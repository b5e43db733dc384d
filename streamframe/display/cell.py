"""One line below a notebook's cell, which changes in place.

Rules: nothing is imported to find out whether this is a notebook. What a saved notebook keeps is the last text.
"""

from __future__ import annotations

import sys
from typing import Any


class CellLine:
    """Text below the cell that runs, in the shape of a bar of tqdm."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._waiting: str | None = None

    def set_description_str(self, text: str, *, refresh: bool = True) -> None:
        """Set the text; show it now, or with `close`."""
        self._waiting = text
        if refresh:
            self._show()

    def close(self) -> None:
        """Show what is not shown yet."""
        self._show()

    def _show(self) -> None:
        from IPython.display import display

        if self._waiting is None:
            return
        shown, self._waiting = {"text/plain": self._waiting}, None
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


def in_notebook() -> bool:
    """Tell whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
