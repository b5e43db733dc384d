"""Apache ORC: stripes to batches, and batches to stripes."""

from streamframe.formats.orc.encoding import OrcEncoding
from streamframe.formats.orc.format import OrcFormat

__all__ = ["OrcEncoding", "OrcFormat"]
