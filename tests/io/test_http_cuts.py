"""A body that is cut anywhere is never taken for a whole one."""

from __future__ import annotations

import pytest

from streamframe.testing import page
from tests.io.http_cuts import KINDS, SIZE, outcome, sweep

# The second is of a compressed file that ends behind a frame that holds nothing: an empty CSV.
ERRORS = {"TruncatedError", "DecodeError"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_body_is_complete(kind):
    _, body, _ = KINDS[kind]
    assert len(body) == SIZE
    assert outcome(kind, page(body)) == "complete"


@pytest.mark.slow
def test_a_cut_is_always_a_typed_error_with_its_offset():
    # Behind each line too, where what is left looks complete: lines have 16 bytes.
    for kind, outcomes in sweep(every=8).items():
        assert set(outcomes) <= ERRORS, kind


@pytest.mark.soak
def test_a_cut_at_every_byte_is_a_typed_error_with_its_offset():
    found = sweep(every=1)
    assert sum(outcomes.total() for outcomes in found.values()) == 16_384
    assert set().union(*found.values()) <= ERRORS
