"""What is messy is read right, or an error says where: never wrong in silence."""

from __future__ import annotations

import pytest

import streamframe as sf
from tests.dirty.__main__ import READERS, plain
from tests.dirty.situations import SITUATIONS

# What we refuse though the rows could be known: a hint says how to read them.
REFUSED = {
    "a Windows-1252 file, read as it is": 'encoding="cp1252"',
    "a UTF-16 file, read as it is": 'encoding="utf-16"',
    "one more column in file 7 of 10": 'schema="union"',
    "NDJSON: a number that becomes text in row 100,001": 'dtype={"id": "string"}',
}


@pytest.mark.slow
@pytest.mark.parametrize("situation", SITUATIONS, ids=[each.title for each in SITUATIONS])
def test_what_is_messy_is_right_or_an_error_with_a_remedy(tmp_path, situation):
    path = situation.write(tmp_path)
    if situation.is_error or situation.title in REFUSED:
        with pytest.raises(sf.StreamError) as caught:
            READERS["streamframe"](str(path), situation.sep)
        assert REFUSED.get(situation.title, "Hint: ") in str(caught.value)
    else:
        rows = READERS["streamframe"](str(path), situation.sep)
        assert situation.right([{name: plain(value) for name, value in row.items()} for row in rows])
