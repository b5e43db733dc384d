"""Damaged Parquet never crashes the process; what we wrote ourselves is never taken for good."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.testing import page, serve
from tests.contract.parts import table

ROWS = 400
LEAST = {"id": 0, "note": ""}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a bit turned, some lost, repeated or put elsewhere, or without their end."""
    changed = bytearray(data)
    at, other = rng.randrange(len(data)), rng.randrange(len(data))
    how = rng.choice(["bit", "bit", "lost", "repeated", "spliced", "cut"])
    if how == "bit":
        changed[at] ^= 1 << rng.randrange(8)
    elif how == "lost":
        del changed[at : at + rng.choice([1, 8, 64])]
    elif how == "repeated":
        changed[at:at] = data[at : at + rng.choice([8, 64])]
    elif how == "spliced":
        changed[at : at + 64] = data[other : other + 64]
    else:
        del changed[at:]
    return bytes(changed)


def mutations_of(whole: bytes, footer: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    """Yield so many mutations of a file; for 0, each byte of its footer turned by a bit."""
    for _ in range(count):
        yield mutated(whole, rng)
    for at in range(len(whole) - len(footer), len(whole)) if not count else ():
        yield whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :]


def read_mutations(folder: str, mutations: int) -> None:
    """Read mutations of a file with checksums; print what came of them. Runs in a child process."""
    rng = random.Random(7)
    path = f"{folder}/mutated.parquet"
    data = table(ROWS)
    sf.from_arrow(data).to_parquet(path)
    with open(path, "rb") as file:
        whole = file.read()
    footer = whole[-8 - int.from_bytes(whole[-8:-4], "little") :]
    verdicts: Counter[str] = Counter()
    for number, damaged in enumerate(mutations_of(whole, footer, rng, mutations)):
        if damaged == whole:
            continue
        with open(path, "wb") as file:
            file.write(damaged)
        columns = rng.choice([None, None, ["note"], ["late", "id"]])
        frame = sf.read_parquet(path, columns=columns)
        if rng.random() < 0.3:
            name = (columns or ["id"])[-1]
            # All rows pass, and the statistics are asked.
            frame = frame.filter(sf.col(name) >= LEAST[name])
        try:
            found = frame.to_arrow()
        except sf.StreamError:
            verdicts["typed error"] += 1
        else:
            # Damage in a column that is not asked for is not looked at.
            good = found.to_pydict() == data.select(columns or data.column_names).to_pydict()
            # No checksum is over the footer: a bit of a column's name is as good as another.
            told = "all rows" if good or not damaged.endswith(footer) else f"wrong rows at {number}"
            verdicts[told] += 1
            for column in found.itercolumns():
                column.validate(full=True)
    print(json.dumps(verdicts))  # noqa: T201 - read by the test


@pytest.mark.parametrize(
    "mutations",
    [
        pytest.param(0, marks=pytest.mark.slow),
        pytest.param(400, marks=pytest.mark.slow),
        pytest.param(5000, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_damage_is_a_typed_error_or_the_rows_and_never_a_crash(tmp_path, mutations):
    child = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", __name__, str(tmp_path), str(mutations)],
        capture_output=True,
        text=True,
        timeout=600 if mutations > 400 else 50,
        check=False,
    )
    assert (child.returncode, child.stderr) == (0, "")
    verdicts = json.loads(child.stdout)
    assert set(verdicts) == {"typed error", "all rows"}
    assert verdicts["typed error"] > sum(verdicts.values()) // 2


@pytest.mark.parametrize("rows", [300, 300_000])
@pytest.mark.parametrize("options", [{"use_dictionary": False}, {"use_dictionary": False, "row_group_size": 100}, {}])
def test_what_comes_over_the_network_is_validated_in_full(tmp_path, rows, options):
    """Without a checksum nothing else tells damage; text that was none went on to pandas, and into new files."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"note": [f"note {n}" for n in range(rows)]}), sink, compression="none", **options)
    damaged = sink.getvalue().to_pybytes().replace(b"note 77", b"note\xc3 77"[:7])
    with serve(page(damaged)) as url, sf.options(memory="16MB"):
        frame = sf.read_parquet(f"{url}/a.parquet")
        with pytest.raises(sf.DecodeError, match="Invalid UTF8"):
            frame.to_arrow()
        with pytest.raises(sf.DecodeError, match="Invalid UTF8"):
            frame.filter(sf.col("note") != "x").count()


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_flipped_bit_in_a_page_is_told_where_the_file_has_checksums(tmp_path, version, compression):
    path = tmp_path / "flipped.parquet"
    pq.write_table(table(), path, compression=compression, write_page_checksum=True, data_page_version=version)
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(0)
    # Well inside of its pages, which one value more or less would not break.
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(sf.DecodeError) as caught:
        sf.read_parquet(path).to_arrow()
    assert "flipped.parquet" in str(caught.value)


if __name__ == "__main__":
    read_mutations(sys.argv[1], int(sys.argv[2]))
