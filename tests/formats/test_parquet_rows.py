"""Each row of what Arrow reads is weighed first, where much could come out of little: exactly.

PARQUET_EXAMPLES=3000 in the environment looks at so many random files (a minute or two).
"""

from __future__ import annotations

import os
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.formats.limits import Limits
from streamframe.formats.parquet import pieces, weighing
from streamframe.formats.parquet.footer import Footer
from streamframe.formats.parquet.pages import pages_of

EXAMPLES = int(os.environ.get("PARQUET_EXAMPLES", "80"))
CODECS = ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]
KINDS = {
    "numbers in lists": pa.list_(pa.int64()),
    "lists in lists": pa.list_(pa.list_(pa.int32())),
    "booleans in lists": pa.list_(pa.bool_()),
    "texts in lists": pa.list_(pa.string()),
    "large text": pa.large_string(),
    "bytes": pa.binary(50),
    "structs": pa.struct({"a": pa.list_(pa.string()), "b": pa.large_string(), "c": pa.float64()}),
    "maps": pa.map_(pa.string(), pa.list_(pa.float32())),
    "structs in lists": pa.list_(pa.struct({"a": pa.string(), "b": pa.list_(pa.string())})),
}
WIDTHS = {pa.int64(): 8, pa.int32(): 4, pa.bool_(): 1, pa.float64(): 8, pa.float32(): 4, pa.binary(50): 50}


@pytest.fixture(params=["kernel", "no kernel"])
def by(request, monkeypatch):
    if request.param == "no kernel":
        monkeypatch.setattr(weighing.KernelWeigher, "is_there", staticmethod(lambda: False))
        monkeypatch.setattr("streamframe.formats.parquet.levels.lengths_of", lambda texts, most: None)


def value(kind, chance, words):
    """Return a random value of a type."""
    if chance.random() < 0.15:
        return None
    if pa.types.is_map(kind):
        count = chance.choice([0, 1, 3])
        return [(chance.choice(words), value(kind.item_type, chance, words)) for _ in range(count)]
    if pa.types.is_list(kind):
        return [value(kind.value_type, chance, words) for _ in range(chance.choice([0, 0, 1, 2, 3, 9, 40]))]
    if pa.types.is_struct(kind):
        return {field.name: value(field.type, chance, words) for field in kind}
    if pa.types.is_boolean(kind):
        return chance.random() < 0.5
    if pa.types.is_floating(kind):
        return chance.choice([0.0, 1.5])
    if pa.types.is_integer(kind):
        return chance.choice([0, chance.randrange(2**31)])
    return chance.choice(words) if not pa.types.is_fixed_size_binary(kind) else b"12345" * 10


def weights(row, kind):
    """Return what a value weighs, for each column of Parquet that it is stored in."""
    if pa.types.is_struct(kind):
        return [weight for field in kind for weight in weights(None if row is None else row[field.name], field.type)]
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        inner = kind.value_type if pa.types.is_list(kind) else pa.struct({"k": kind.key_type, "v": kind.item_type})
        items = row or [None]
        if pa.types.is_map(kind):
            items = [each and dict(zip("kv", each, strict=True)) for each in items]
        return [sum(each) for each in zip(*(weights(item, inner) for item in items), strict=True)]
    if kind in WIDTHS:
        return [max(4, WIDTHS[kind])]
    return [4 + len((row or "").encode())]


def ends_of(rows, most):
    """Return before which rows a piece ends, when it should have so many bytes."""
    found, before = [], 0
    for place, nbytes in enumerate(rows):
        if before and before + nbytes > most:
            found.append(place)
            before = 0
        before += nbytes
    return found


def random_file(path, seed):
    """Write a random file of one column; return its rows and its type."""
    chance = random.Random(seed)
    kind = KINDS[chance.choice(sorted(KINDS))]
    words = ["", "a", "äö", "word " * 9, "x" * chance.choice([1, 100, 5000])]
    rows = [value(kind, chance, words) for _ in range(chance.choice([1, 7, 100, 700]))]
    encoded = chance.random() < 0.6
    options = {}
    if not encoded and pa.types.is_large_string(kind):
        options["column_encoding"] = {"x": chance.choice(["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])}
    elif not encoded and kind == KINDS["texts in lists"]:
        how = chance.choice(["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
        options["column_encoding"] = {"x.list.element": how}
    pq.write_table(
        pa.table({"x": pa.array(rows, kind)}),
        path,
        compression=chance.choice(CODECS),
        use_dictionary=encoded,
        data_page_version=chance.choice(["1.0", "2.0"]),
        data_page_size=chance.choice([10, 1000, 1 << 20]),
        dictionary_pagesize_limit=chance.choice([20, 1 << 20]),
        write_batch_size=chance.choice([1, 10, 1024]),
        row_group_size=max(1, chance.choice([len(rows) // 3, len(rows)])),
        **options,
    )
    return rows, kind


@pytest.mark.slow
@pytest.mark.usefixtures("by")
def test_rows_weigh_what_arrow_reads_of_them_and_batches_end_before_they_are_too_heavy(tmp_path):
    path = tmp_path / "a.parquet"
    refused = cut = 0
    for seed in range(EXAMPLES):
        rows, kind = random_file(path, seed)
        table = pq.read_table(path)
        if len(table) < len(rows):
            # Arrow writes an empty page in front of some (version 2, pages of few bytes), and then reads no further.
            continue
        footer, data = opened(path)
        largest = max(page.nbytes for chunk in chunks(footer) for *_, page in pages_of(chunk, data, "a"))
        by_leaf = list(zip(*(weights(row, kind) for row in rows), strict=True))
        heaviest = max(map(max, by_leaf))
        with sf.options(memory="1MB"):
            read = sf.read_parquet(path, max_batch_bytes=max(heaviest, largest)).to_arrow()
        assert read.equals(table), seed
        start = 0
        for group, count in enumerate(footer.rows):
            for chunk, leaf, all_rows in zip(chunks(footer, group), footer.columns.leaves("x"), by_leaf, strict=True):
                some, piece = all_rows[start : start + count], random.Random(seed).choice([1, 50, 3000])
                found = weighed(footer, data, group, chunk, leaf, max(largest, max(some)), piece)
                alike = not leaf.max_repetition_level and leaf.physical_type == "DOUBLE"
                if not alike and max(largest, max(some)) < sum(some):
                    assert found == ends_of(some, piece), seed
                    cut += 1
                if not alike and max(some) - 1 >= largest:
                    with pytest.raises(sf.BudgetError, match=f"row [0-9,]+ of row group {group}") as caught:
                        weighed(footer, data, group, chunk, leaf, max(some) - 1, piece)
                    assert caught.value.row == start + 1 + some.index(max(some)), seed
                    refused += 1
            start += count
    assert refused > EXAMPLES / 20
    assert cut > EXAMPLES / 3


def opened(path):
    """Return the footer of a file, and what returns its bytes."""
    data = path.read_bytes()
    length = int.from_bytes(data[-8:-4], "little") + 8
    return Footer("a", b"PAR1" + data[-length:], len(data)), lambda offset, nbytes: data[offset : offset + nbytes]


def chunks(footer, group=None):
    groups = range(len(footer.rows)) if group is None else [group]
    return [chunk for group in groups for chunk in footer.chunks(group, {"x"})["x"]]


def weighed(footer, data, group, chunk, leaf, most, piece):
    limits = Limits(piece, most)
    return pieces.ChunkPieces(chunk, pieces.leaf_of(leaf), limits, data, footer, group, "x").ends()
