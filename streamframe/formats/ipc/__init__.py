"""Arrow's own format: files (``.arrow``, ``.feather``) and streams (``.arrows``)."""

from streamframe.formats.ipc.encoding import IpcEncoding
from streamframe.formats.ipc.format import IpcFormat

__all__ = ["IpcEncoding", "IpcFormat"]
