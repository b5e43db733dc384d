"""How values and names are shown in errors: short, and ready to be pasted."""

from __future__ import annotations

from streamframe.io.transcode import with_escapes


def shortened(text: str, length: int) -> str:
    """Return a text cut to `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def shortened_bytes(value: bytes, length: int) -> bytes:
    """Return bytes cut to `length`."""
    return value if len(value) <= length else value[:length] + b"..."


def not_text(value: bytes, length: int, encoding: str = "utf-8") -> str:
    """Return what is wrong with bytes that are no text in their encoding, as `TranscodedStream` has passed them on."""
    if encoding == "utf-8":
        return f"{shortened_bytes(value, length)!r} is not UTF-8 text"
    return f"'{shortened(with_escapes(value).decode(errors='backslashreplace'), length)}' is not {encoding} text"


def quoted(name: str) -> str:
    """Return a name as a literal that can be pasted."""
    # Double quotes, as people write them, unless repr knows better.
    return f'"{name}"' if name.isprintable() and not {'"', "\\"} & set(name) else repr(name)


def first_line(error: BaseException) -> str:
    """Return what an error says, without what it quotes below."""
    return str(error).splitlines()[0] if str(error) else repr(error)
