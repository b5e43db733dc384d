"""What a look at a few bytes of a text file can tell."""

from __future__ import annotations

from streamframe.io.stream import ByteStream

BOM = b"\xef\xbb\xbf"
ENCODING_HINT = 'pass the encoding the file was written in, such as encoding="latin-1" or encoding="cp1252".'
# Late floats in a column of integers show up in the middle or near the end of most files.
_PEEK_BYTES = 64 * 1024
# Names and keys are of plain letters for so long, mostly.
_WIDE_BYTES = 12
# How files start that are called text now and then, but are none.
_STARTS = {
    b"\x1f\x8b": 'it looks like gzip: pass compression="gzip".',
    b"\x28\xb5\x2f\xfd": 'it looks like zstd: pass compression="zstd".',
    b"\xfd7zXZ": 'it looks like xz: pass compression="xz".',
    b"BZh": 'it looks like bz2: pass compression="bz2".',
    b"PAR1": "it looks like Parquet: use read_parquet.",
    b"PK\x03\x04": 'it looks like a zip archive: pass compression="zip"; a spreadsheet has to be saved as text.',
    b"\xff\xfe\x00\x00": 'it looks like UTF-32: pass encoding="utf-32".',
    b"\x00\x00\xfe\xff": 'it looks like UTF-32: pass encoding="utf-32".',
    b"\xff\xfe": 'it looks like UTF-16: pass encoding="utf-16".',
    b"\xfe\xff": 'it looks like UTF-16: pass encoding="utf-16".',
}


def other_format(text: bytes) -> str | None:
    """Return what a file looks like that starts with these bytes, and how to read it; None if nothing is known."""
    return next((hint for start, hint in _STARTS.items() if text.startswith(start)), wide_text(text))


def wide_text(text: bytes) -> str | None:
    """Return the hint for UTF-16 without a mark at its start: every other byte of its first letters is zero."""
    for first, name in ((0, "be"), (1, "le")):
        zeros, letters = text[first:_WIDE_BYTES:2], text[1 - first : _WIDE_BYTES : 2]
        if len(zeros) > 2 and not any(zeros) and all(letters):
            return f'it looks like UTF-16: pass encoding="utf-16-{name}".'
    return None


def peek(stream: ByteStream) -> list[bytearray]:
    """Return some bytes from the middle and the end of a file, if looking there costs nothing.

    The stream is then where it was.
    """
    if not stream.seekable or stream.size is None or stream.size < stream.offset + 4 * _PEEK_BYTES:
        return []
    here = stream.offset
    peeked = []
    for offset in ((here + stream.size) // 2, stream.size - _PEEK_BYTES):
        stream.seek(offset)
        peeked.append(bytearray(stream.read_up_to(_PEEK_BYTES)))
    stream.seek(here)
    return peeked


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are text as nearly everybody writes it."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
