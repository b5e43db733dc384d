"""What all formats of text share: how text becomes bytes, and what becomes of a record that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.records import Records
from streamframe.formats.rejects import Errors, checked_errors
from streamframe.formats.sniffing import BOM
from streamframe.formats.text_blocks import Decoding, OpenText
from streamframe.io.compression import checked_compression
from streamframe.io.expansion import Expansion, checked_ratio
from streamframe.io.transcode import checked_encoding

if TYPE_CHECKING:
    from streamframe.io.location import Location
    from streamframe.io.stream import ByteStream


@dataclass(frozen=True)
class EncodedText(FileFormat):
    """Records of text, one behind another.

    Parameters
    ----------
    errors
        What a record does that cannot be read: ``"raise"``; ``"null"``, its values that cannot be read become null;
        ``"skip"`` or ``"quarantine"``, it is left out.
    encoding
        What the text is written in.
    compression
        ``"infer"`` goes by the suffix, None reads the bytes as they are.
    max_record_bytes
        The longest record that is held; None for 64 MiB.
    max_decompression_ratio
        How many bytes may come out for each compressed one; None for the default: see `Expansion`.

    Raises
    ------
    PlanError
        If an argument cannot work; names it.
    """

    text: ClassVar[bool] = True
    located: ClassVar[bool] = True

    errors: Errors = "raise"
    encoding: str = "utf-8"
    compression: str | None = "infer"
    max_record_bytes: int | None = None
    max_decompression_ratio: float | None = None

    def __post_init__(self) -> None:
        checked_errors(self.errors)
        checked_encoding(self.encoding)
        checked_compression(self.compression)
        object.__setattr__(self, "max_decompression_ratio", checked_ratio(self.max_decompression_ratio))

    @property
    def quarantines(self) -> bool:
        return self.errors == "quarantine"

    @property
    def leaves_out(self) -> bool:
        return self.errors in ("skip", "quarantine")

    def _stream(self, location: Location, *views: Callable[[ByteStream], ByteStream]) -> ByteStream:
        """Return the text of a file as UTF-8, seen through each of the `views`."""
        stream = location.open_stream(
            compression=self.compression,
            encoding=self.encoding,
            lenient=self.errors != "raise",
            expansion=Expansion.of(self.max_decompression_ratio),
        )
        try:
            for view in views:
                stream = view(stream)
        except BaseException:
            stream.close()
            raise
        return stream

    def _opened_text(self, records: Records, decoding: Callable[[], Decoding], like: OpenFile | None) -> OpenText:
        """Return these records as an open file; `decoding` may look at the first of them."""
        records.allow_records_of(self.max_record_bytes)
        opened = OpenText(records)
        try:
            records.skip(BOM)
            opened.decode_by(decoding(), like)
        except BaseException:
            opened.close()
            raise
        return opened
