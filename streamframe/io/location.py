"""One place that bytes come from, and the layers between it and a format.

Rule: raw bytes, then decompression, then UTF-8: in that order, and only here.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from streamframe.io.compression import Codec, DecompressedStream, codec_named, codec_of_suffix
from streamframe.io.ranged import RangedFile
from streamframe.io.stream import ByteStream
from streamframe.io.transcode import TranscodedStream, checked_encoding


@dataclass(frozen=True, repr=False)
class Location(ABC):
    """One file, object or page. Making one does no I/O.

    Attributes
    ----------
    label : str
        The path or URI without secrets.
    """

    label: str

    @property
    @abstractmethod
    def name(self) -> str:
        """The last piece of the path, such as ``"flights.csv.gz"``."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Format and compression suffix in lower case: ``(".csv", ".gz")``."""
        return tuple(suffix.lower() for suffix in PurePosixPath(self.name).suffixes)

    @property
    def format_suffix(self) -> str:
        """``".csv"`` of ``"a.csv.gz"``; empty where there is none."""
        names = [suffix for suffix in self.suffixes[-2:] if codec_of_suffix(suffix) is None]
        return names[-1] if names else ""

    @property
    def compression(self) -> str | None:
        """What the suffix promises: ``"gzip"``, ``"zstd"``, ``"bz2"``, ``"xz"`` or None."""
        codec = codec_of_suffix(self.suffixes[-1]) if self.suffixes else None
        return codec.name if codec else None

    @property
    def replayable(self) -> bool:
        """It can be read more than once."""
        return True

    def expand(self) -> Sequence[Location]:
        """Return what a glob stands for; any other location stands for itself. May do I/O."""
        return (self,)

    def open_stream(self, *, compression: str | None = "infer", encoding: str = "utf-8") -> ByteStream:
        """Open the content, decompressed and as UTF-8.

        Parameters
        ----------
        compression
            ``"infer"`` goes by the suffix, None reads the bytes as they are.
        encoding
            What the text is written in. UTF-8 passes through unchecked and untouched, its BOM too.

        Raises
        ------
        PlanError
            If the compression or the encoding is not known.
        SourceError
            If it cannot be opened. A server is first asked at the first read, so that `close`
            can free that too.
        """
        codec = self._codec(compression)
        encoding = checked_encoding(encoding)
        stream = self._open_content(codec)
        return stream if encoding == "utf-8" else TranscodedStream(stream, encoding)

    @abstractmethod
    def open_ranged(self) -> RangedFile:
        """Open the raw bytes for reading ranges."""

    @abstractmethod
    def _open_raw(self) -> ByteStream:
        """Open the bytes as they are."""

    def _open_content(self, codec: Codec | None) -> ByteStream:
        raw = self._open_raw()
        return DecompressedStream(raw, codec) if codec else raw

    def _codec(self, compression: str | None) -> Codec | None:
        name = self.compression if compression == "infer" else compression
        return codec_named(name) if name else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r})"


def has_glob(path: str) -> bool:
    """Whether `path` holds a character that means something in a glob."""
    return re.search(r"[*?\[]", path) is not None
