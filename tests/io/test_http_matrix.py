"""No fault of a server is taken for the end of the data."""

from __future__ import annotations

import pytest

from streamframe.testing import FAULTS
from tests.io.http_matrix import FORMATS, MODES, is_bad, table


@pytest.fixture(scope="module")
def cells():
    return table()


@pytest.mark.slow
def test_every_fault_ends_in_all_rows_or_a_typed_error(cells):
    assert len(cells) == len(FAULTS) * len(FORMATS) * len(MODES)
    assert {key: outcome for key, outcome in cells.items() if is_bad(outcome)} == {}


@pytest.mark.slow
def test_what_a_recovering_server_makes_good_is_read_whole(cells):
    mended = [fault for fault in FAULTS if fault.startswith(("hangs up", "resets", "stalls", "never", "says 5"))]
    assert len(mended) >= 15
    assert {cells[fault, name, "resume"] for fault in mended for name in FORMATS} == {"equal"}


@pytest.mark.slow
def test_what_breaks_off_says_how_far_it_came(cells):
    told = {name: cells["hangs up in the middle", name, "plain"] for name in FORMATS}
    for name, form in FORMATS.items():
        kind, at = told[name].split(" @")
        assert kind == "TruncatedError"
        if not form.spared and name != "parquet":
            assert int(at) == len(form.body) // 2
