"""Lengths in ORC: read as the specification writes them, and held against what the stripe can hold."""

from __future__ import annotations

import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.orc as orc
import pytest

import streamframe as sf
from streamframe.formats.orc.footer import OrcFooter
from streamframe.formats.orc.lengths import require_sound
from streamframe.formats.orc.run_lengths import Totals, totals

TENS = [2030, 2000, 2020, 1_000_000, *range(2040, 2200, 10)]
PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]


# The examples of https://orc.apache.org/specification/ORCv1.
@pytest.mark.parametrize(
    ("version", "written", "values"),
    [
        (1, "610007", [7] * 100),
        (1, "61ff64", list(range(100, 0, -1))),
        (1, "fb020306070b", [2, 3, 6, 7, 11]),
        (2, "0a2710", [10_000] * 5),
        (2, "5e035ca1ab1edeadbeef", [23713, 43806, 57005, 48879]),
        (2, "8e132b2107d01e00147028323c46505a646e78828c96a0aab4befce8", TENS),
        (2, "c609020222424246", PRIMES),
    ],
)
def test_runs_are_added_up_as_the_specification_writes_them(version, written, values):
    data = bytes.fromhex(written)
    assert totals(data, version=version)[:2] == (len(values), sum(values))
    assert totals(data * 3, version=version)[:2] == (3 * len(values), 3 * sum(values))
    with pytest.raises(IndexError):
        totals(data[:-1], version=version)


def test_lengths_below_nothing_and_beyond_64_bits_are_seen():
    assert totals(bytes.fromhex("c0030205"), version=2) == Totals(4, 2 - 1 - 4 - 7, -7)
    assert totals(b"\x38" + b"\xff" * 8, version=2).total == 3 * (2**64 - 1)


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("version", ["0.11", "0.12"])
@pytest.mark.parametrize("dictionary", [0.0, 1.0])
def test_files_in_order_are_read_whatever_their_encoding(tmp_path, compression, version, dictionary):
    chance = random.Random(5)
    lengths = [chance.choice([0, 1, 7, chance.randrange(400)]) for _ in range(3_000)]
    rows = pa.table(
        {
            "text": ["x" * length if length != 1 else None for length in lengths],
            "list": pa.array([["é"] * (length % 9) for length in lengths]),
            "map": pa.array([[("k", length)] * (length % 3) for length in lengths], pa.map_(pa.string(), pa.int64())),
        }
    )
    options = {"compression": compression, "file_version": version, "dictionary_key_size_threshold": dictionary}
    orc.write_table(rows, tmp_path / "a.orc", **options)
    assert sf.read_orc(tmp_path / "a.orc").to_arrow().to_pylist() == rows.to_pylist()


SIZES = [200, 131, 143, 17, 155, 199, 21, 166]
LENGTHS = bytes([0x4E, 7, *SIZES])
BAD = {
    "some are below nothing": bytes([0xC0, 7, 3, 7]),
    "one is longer than all text": bytes([0x4E, 7, 200, 131, 143, 255, 155, 199, 21, 166]),
    "all are longer than any memory": bytes([0xC0, 7, *[255] * 6, 127, 0]),
}
READ = "import sys, streamframe as sf; sf.read_orc(sys.argv[1]).to_arrow()"


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD)
def test_a_length_that_no_text_has_is_an_error_and_not_the_end_of_the_process(tmp_path, bad):
    orc.write_table(pa.table({"text": ["x" * size for size in SIZES]}), tmp_path / "a.orc", compression="uncompressed")
    data = (tmp_path / "a.orc").read_bytes()
    assert data.count(LENGTHS) == 1
    # Of as many bytes, so that everything else stays in its place.
    damaged = data.replace(LENGTHS, BAD[bad].ljust(len(LENGTHS), b"\0"))
    (tmp_path / "a.orc").write_bytes(damaged)
    ran = subprocess.run([sys.executable, "-c", READ, tmp_path / "a.orc"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert "stripe 0: column 1 has lengths that no values have" in ran.stderr


def test_only_the_columns_that_are_read_are_looked_at(tmp_path):
    orc.write_table(pa.table({"n": [1, 2], "text": ["abc", "defg"]}), tmp_path / "a.orc", compression="uncompressed")
    data = (tmp_path / "a.orc").read_bytes()
    assert data.count(b"abcdefg") == 1
    footer = OrcFooter.of(orc.ORCFile(str(tmp_path / "a.orc")).reader.serialized_file_tail())
    place = footer.stripes[0]
    end = place.offset + place.index_bytes + place.data_bytes
    # What says where the columns lie is looked at only for columns that have lengths.
    (tmp_path / "a.orc").write_bytes(data[:end] + b"\xff" * place.footer_bytes + data[end + place.footer_bytes :])
    require_sound(str(tmp_path / "a.orc"), footer, 0, [0])
    with pytest.raises(ValueError, match="where its columns lie"):
        require_sound(str(tmp_path / "a.orc"), footer, 0, [1])
