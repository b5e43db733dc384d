r"""A web server on loopback that breaks in every way that real ones do, to test a pipeline against.

`serve` runs a handler, which is any function of a `Request`. `page` makes one that does all things
right; the others each do one thing wrong. `in_turn` lets the first request meet a fault, and the next
one a server that has recovered; `FAULTS` has all of them by name, for ``pytest.mark.parametrize``.

Examples
--------
>>> import streamframe as sf
>>> from streamframe import testing
>>> body = b"a,b\n" + b"1,2\n" * 1000
>>> with testing.serve(testing.in_turn(testing.cut_at(500, body), testing.page(body))) as url:
...     sf.read_csv(url + "/a.csv").count()
1000
>>> with testing.serve(testing.cut_at(500, body)) as url:
...     sf.read_csv(url + "/a.csv", storage_options={"retries": 0}).count()
Traceback (most recent call last):
streamframe.errors.TruncatedError: ...
"""

from __future__ import annotations

from streamframe.testing.answers import (
    by_path,
    chunked,
    in_turn,
    page,
    part,
    redirects_to,
    status,
    until_close,
    with_length,
)
from streamframe.testing.catalog import FAULTS
from streamframe.testing.faults import (
    breaks_off,
    chunks_cut_at,
    cut_at,
    drips,
    ends_early,
    gzip_cut_at,
    ignores_ranges,
    lies_about_length,
    lies_about_range,
    never_answers,
    resets_after,
    shows_html,
    stalls_after,
)
from streamframe.testing.server import Handler, Request, hang_up, reset, serve

__all__ = [
    "FAULTS",
    "Handler",
    "Request",
    "breaks_off",
    "by_path",
    "chunked",
    "chunks_cut_at",
    "cut_at",
    "drips",
    "ends_early",
    "gzip_cut_at",
    "hang_up",
    "ignores_ranges",
    "in_turn",
    "lies_about_length",
    "lies_about_range",
    "never_answers",
    "page",
    "part",
    "redirects_to",
    "reset",
    "resets_after",
    "serve",
    "shows_html",
    "stalls_after",
    "status",
    "until_close",
    "with_length",
]
