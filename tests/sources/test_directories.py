"""A directory as a path: which of its files are read, and in what order."""

import os

import pytest

import streamframe as sf


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_all_files_below_a_directory_are_read_sorted_by_name(tmp_path):
    for name in ("b.csv", "a.csv", "sub/deep/c.csv", "d.csv.gz"):
        data = f"n\n{name}\n"
        put(tmp_path / name, data)
    import gzip

    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"n\nd.csv.gz\n"))
    found = sf.read_csv(tmp_path).to_arrow()["n"].to_pylist()
    assert found == ["a.csv", "b.csv", "d.csv.gz", "sub/deep/c.csv"]


def test_hidden_names_and_markers_are_passed_over(tmp_path):
    put(tmp_path / "a.csv", "n\n1\n")
    for name in ("_SUCCESS", ".a.csv.crc", "_tmp/b.csv", ".ipynb_checkpoints/a.csv"):
        put(tmp_path / name, "n\n2\n")
    assert sf.read_csv(tmp_path).to_arrow()["n"].to_pylist() == [1]


def test_only_files_of_the_format_are_read_where_some_are(tmp_path):
    put(tmp_path / "a.csv", "n\n1\n")
    put(tmp_path / "README.txt", "not data")
    assert sf.read_csv(tmp_path).count() == 1


def test_files_without_the_suffix_are_read_where_none_has_it(tmp_path):
    put(tmp_path / "part-0000", "n\n1\n")
    put(tmp_path / "part-0001", "n\n2\n")
    assert sf.read_csv(tmp_path).to_arrow()["n"].to_pylist() == [1, 2]


def test_a_directory_that_is_named_like_a_file_goes_by_its_suffix(tmp_path):
    put(tmp_path / "out.csv" / "part-0000.csv", "n\n1\n")
    assert sf.read(tmp_path / "out.csv").count() == 1


def test_a_directory_without_files_is_told(tmp_path):
    put(tmp_path / "_SUCCESS", "")
    with pytest.raises(sf.SourceError, match="holds no file"):
        sf.read_csv(tmp_path).count()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_an_error_and_not_a_gap(tmp_path):
    put(tmp_path / "a.csv", "n\n1\n")
    put(tmp_path / "closed" / "b.csv", "n\n2\n")
    (tmp_path / "closed").chmod(0)
    try:
        with pytest.raises(sf.SourceError, match="closed"):
            sf.read_csv(tmp_path).count()
    finally:
        (tmp_path / "closed").chmod(0o700)


@pytest.mark.parametrize("path", ["memory://lake/flights", "memory://lake/flights/"])
def test_a_directory_of_a_store_is_read_the_same(path):
    import fsspec

    fs = fsspec.filesystem("memory")
    try:
        for name, text in {"b.csv": "n\n2\n", "y=1/a.csv": "n\n1\n", "_SUCCESS": "", "c.txt": "x"}.items():
            fs.pipe(f"/lake/flights/{name}", text.encode())
        found = sf.read_csv(path).to_arrow()
        assert found["n"].to_pylist() == [2, 1]
    finally:
        fs.rm("/lake", recursive=True)
