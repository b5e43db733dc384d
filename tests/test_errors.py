"""Errors keep what they know, wherever they are sent."""

from __future__ import annotations

import copy
import errno
import pickle

import pytest

import streamframe as sf

KINDS = [
    kind for kind in vars(sf).values() if isinstance(kind, type) and issubclass(kind, sf.StreamError)
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("send", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy])
def test_an_error_sent_to_another_process_keeps_all_its_facts(kind, send):
    error = kind("broken", source="a.csv", part=1, byte_offset=5, row=3, column="x", step="step 1 of 1", hint="fix it.")
    error.add_note("a note")
    sent = send(error)
    assert type(sent) is kind
    assert (vars(sent), str(sent)) == (vars(error), str(error))
    assert sent.__notes__ == ["a note"]


def test_the_errno_of_a_missing_file_is_sent_along(tmp_path):
    with pytest.raises(OSError, match="does not exist") as raised:
        sf.read_csv(tmp_path / "none.csv").count()
    assert raised.value.errno == errno.ENOENT
    assert pickle.loads(pickle.dumps(raised.value)).errno == errno.ENOENT


def test_a_missing_column_reads_as_a_sentence_although_it_is_a_key_error():
    error = sf.ColumnNotFoundError.among("fara", ["fare"])
    assert isinstance(error, KeyError)
    assert str(error) == "column 'fara' is not found. Existing columns: fare\nHint: did you mean 'fare'?"
