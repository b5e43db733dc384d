"""One place that bytes come from, and the layers between it and a format.

Rule: raw bytes, then decompression, then UTF-8: in that order, and only here.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from streamframe.io.compression import Codec, DecompressedStream, codec_named, codec_of_suffix
from streamframe.io.expansion import Expansion
from streamframe.io.ranged import RangedFile
from streamframe.io.stream import ByteStream
from streamframe.io.transcode import TranscodedStream, checked_encoding

# Enough to tell files apart, and one small request.
_IDENTIFYING_BYTES = 64 << 10


@dataclass(frozen=True, repr=False)
class Location(ABC):
    """One file, object or page. Making one does no I/O.

    Attributes
    ----------
    label : str
        The path or URI without secrets.
    below : tuple of str
        The folders between a directory or glob that was given and this file, which was found there.
    """

    label: str
    below: tuple[str, ...] = field(default=(), kw_only=True, compare=False)

    @property
    @abstractmethod
    def name(self) -> str:
        """The last piece of the path, such as ``"flights.csv.gz"``."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Format and compression suffix in lower case: ``(".csv", ".gz")``."""
        name = self.name.lower()
        return () if name.endswith(".") else tuple(f".{suffix}" for suffix in name.lstrip(".").split(".")[1:])

    @property
    def format_suffix(self) -> str:
        """``".csv"`` of ``"a.csv.gz"``; empty where there is none."""
        names = [suffix for suffix in self.suffixes[-2:] if codec_of_suffix(suffix) is None]
        return names[-1] if names else ""

    @property
    def compression(self) -> str | None:
        """What the suffix promises: ``"gzip"``, ``"zstd"``, ``"bz2"``, ``"xz"``, ``"lz4"``, ``"zip"`` or None."""
        codec = codec_of_suffix(self.suffixes[-1]) if self.suffixes else None
        return codec.name if codec else None

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that the path names, the outermost first."""
        return ()

    @property
    def replayable(self) -> bool:
        """It can be read more than once."""
        return True

    @property
    def manifest(self) -> Location | None:
        """Where an export would have left its manifest, if this is a directory; None if it can be none."""
        return None

    def expand(self, suffixes: Collection[str] = ()) -> Sequence[Location]:
        """Return what a glob or a directory stands for; any other location stands for itself. May do I/O.

        Nothing is what a directory stands for that an export without rows has made.

        Parameters
        ----------
        suffixes
            Those of the format. Where a directory holds such files, the others are left out.
        """
        return (self,)

    def open_stream(
        self,
        *,
        compression: str | None = "infer",
        encoding: str = "utf-8",
        lenient: bool = False,
        expansion: Expansion | None = None,
    ) -> ByteStream:
        """Open the content, decompressed and as UTF-8.

        Parameters
        ----------
        compression
            ``"infer"`` goes by the suffix, None reads the bytes as they are.
        encoding
            What the text is written in. UTF-8 passes through unchecked and untouched, its BOM too.
        lenient
            Bytes that mean nothing in another encoding are passed on as something that is no UTF-8,
            which `transcode.with_escapes` makes visible.
        expansion
            How much may come out of what is compressed; None is the default.

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
        stream = self._open_content(codec, expansion)
        return stream if encoding == "utf-8" else TranscodedStream(stream, encoding, lenient=lenient)

    @property
    def identity_is_cheap(self) -> bool:
        """Asking for it takes no connection."""
        return False

    def identity(self) -> str:
        """Return what changes when the content does, as far as a look at its start can tell."""
        with self.open_stream(compression=None) as stream:
            start = stream.read_up_to(_IDENTIFYING_BYTES)
            size = "unknown size" if stream.size is None else f"{stream.size:,} bytes"
            version = f", {stream.version}" if stream.version else ""
        return f"{size}{version}, starting with {sha256(start).hexdigest()[:16]}"

    @abstractmethod
    def open_ranged(self) -> RangedFile:
        """Open the raw bytes for reading ranges."""

    @abstractmethod
    def _open_raw(self) -> ByteStream:
        """Open the bytes as they are."""

    def _open_content(self, codec: Codec | None, expansion: Expansion | None) -> ByteStream:
        raw = self._open_raw()
        return DecompressedStream(raw, codec, expansion) if codec else raw

    def _codec(self, compression: str | None) -> Codec | None:
        name = self.compression if compression == "infer" else compression
        return codec_named(name) if name else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r})"


def has_glob(path: str) -> bool:
    """Whether `path` holds a character that means something in a glob."""
    return re.search(r"[*?\[]", path) is not None


def below(path: str, given: str) -> tuple[str, ...]:
    """Return the folders of `path` that `given`, the directory or glob it was found by, does not name itself."""
    named = given.rstrip("/").split("/")
    known = next((place for place, piece in enumerate(named) if has_glob(piece)), len(named))
    return tuple(path.split("/")[known:-1])


def shown_files(found: Sequence[Location], suffixes: Collection[str]) -> list[Location]:
    """Return the files of a directory that are data: no hidden ones, and of the format where some are."""
    shown = [one for one in found if not hidden(one.name) and not any(map(hidden_folder, one.below))]
    return [one for one in shown if one.format_suffix in suffixes] or shown


# How Hive calls the folder of a null.
NULL_KEY = "__HIVE_DEFAULT_PARTITION__"
# What a value goes on with, in a folder below, that is too long for one name; a key of that name would be encoded.
CONTINUED_KEY = "+="


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is no data: a leading dot, or the underscore of Spark's markers."""
    return name.startswith((".", "_"))


def hidden_folder(name: str) -> bool:
    """Whether a folder of this name holds no data; one that names a key and its value does, whatever the key."""
    return hidden(name) and "=" not in name
